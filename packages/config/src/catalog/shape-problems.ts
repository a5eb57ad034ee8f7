import { z } from 'zod';
import type { CatalogProblem } from '../settings.ts';
import { nearestName } from '../values/nearest-name.ts';
import type { CatalogDocument, KeyPath } from './read-document.ts';

/** What zod has to say about a value that breaks a rule which carries no text of its own. Takes zod's raw issue. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return `is missing. Add ${nounOf(issue.expected)}`;
    return `must be ${nounOf(issue.expected)}, not ${describeValue(issue.input)}`;
  }
  if (issue.code === 'invalid_value') return describeChoice(issue.input, issue.values.map(String));
  if (issue.code === 'invalid_union') return `must be text or a number, not ${describeValue(issue.input)}`;
  if (issue.code === 'too_small') {
    if (issue.origin === 'array' || issue.origin === 'string') return 'is empty. Write at least one, or leave the key out';
    return `${describeValue(issue.input)} is too small. Write ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
  }
  if (issue.code === 'too_big') return `${describeValue(issue.input)} is too large. Write at most ${issue.maximum}`;
  return undefined;
}

/** One problem per issue, and one per unknown key with the nearest key that is known at that place. */
export function shapeProblems(document: CatalogDocument, schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): CatalogProblem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => document.problemAt([...path, key], unknownKey(schema, path, key)));
    }
    if (issue.code === 'invalid_key') return [document.problemAt(path, issue.issues.map(({ message }) => message).join('; '))];
    return [document.problemAt(path, issue.message)];
  });
}

function unknownKey(schema: z.ZodType, path: KeyPath, key: string): string {
  const known = keysAt(schema, path);
  const nearest = nearestName(key, known);
  if (nearest !== undefined) return `unknown key. Did you mean ${nearest}?`;
  const elsewhere = placesOf(schema, key);
  if (elsewhere.length > 0) return `unknown key here. It belongs under ${elsewhere.join(' or ')}`;
  return `unknown key. Known here: ${known.join(', ')}`;
}

function keysAt(schema: z.ZodType, path: KeyPath): readonly string[] {
  const found = path.reduce<z.ZodType | undefined>((node, part) => (node === undefined ? undefined : childOf(node, part)), schema);
  const node = found === undefined ? undefined : unwrapped(found);
  return node instanceof z.ZodObject ? Object.keys(node.shape) : [];
}

/** Where a key of exactly this name exists, as `defaults` or `models.*`. */
function placesOf(schema: z.ZodType, key: string, place = ''): readonly string[] {
  const node = unwrapped(schema);
  const below = (part: string) => (place === '' ? part : `${place}.${part}`);
  if (node instanceof z.ZodRecord) return node.valueType instanceof z.ZodType ? placesOf(node.valueType, key, below('*')) : [];
  if (!(node instanceof z.ZodObject)) return [];
  const here = key in node.shape ? [place === '' ? 'the top level' : place] : [];
  const children = Object.entries(node.shape).flatMap(([name, child]) =>
    child instanceof z.ZodType ? placesOf(child, key, below(name)) : [],
  );
  return [...here, ...children];
}

function childOf(schema: z.ZodType, part: string | number): z.ZodType | undefined {
  const node = unwrapped(schema);
  if (node instanceof z.ZodObject) return asType(node.shape[part]);
  if (node instanceof z.ZodRecord) return asType(node.valueType);
  if (node instanceof z.ZodArray) return asType(node.element);
  return undefined;
}

function unwrapped(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrapped(asType(schema.unwrap()) ?? z.never());
  }
  return schema;
}

function asType(value: unknown): z.ZodType | undefined {
  return value instanceof z.ZodType ? value : undefined;
}

function describeChoice(input: unknown, choices: readonly string[]): string {
  const nearest = typeof input === 'string' ? nearestName(input, choices) : undefined;
  const advice = nearest === undefined ? `Write ${choices.join(' or ')}` : `Did you mean ${nearest}? Known: ${choices.join(', ')}`;
  return `${describeValue(input)} is not one of the choices. ${advice}`;
}

function describeValue(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? `the text "${value}"` : JSON.stringify(value);
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
};

function nounOf(expected: string): string {
  return NOUNS[expected] ?? expected;
}
