import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair, ParsedNode } from 'yaml';
import type { CatalogProblem } from '../settings.ts';

export type KeyPath = readonly (string | number)[];

/** A catalog file as plain data that still knows where each key stands. */
export interface CatalogDocument {
  /** Plain data; `null` sections and models are empty ones. `undefined` when the text cannot be read as a map. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
  /** Syntax errors, duplicate keys, unknown anchors. */
  readonly problems: readonly CatalogProblem[];
  /** A problem at a key, or at the nearest key above one that is missing. */
  problemAt(path: KeyPath, message: string): CatalogProblem;
}

/**
 * Reads YAML 1.2 (with `<<` merges). Values of `env`, `args` and `command` keep their spelling: `1.10` stays `1.10`. Never throws for
 * bad text: what is wrong stands in `problems`.
 */
export function readDocument(text: string): CatalogDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number, key: string, message: string): CatalogProblem => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col), key, message };
  };
  const twice = document.errors
    .filter(({ code }) => code === 'DUPLICATE_KEY')
    .map(({ pos }) => at(pos[0], '', describeTwice(text, pos[0])));
  const broken = document.errors.filter(({ code }) => code !== 'DUPLICATE_KEY');
  const problems = [...broken, ...document.warnings].map(({ pos, message }) => at(pos[0], '', sentence(message)));
  visit(document, {
    Alias: (_, node) => {
      if (node.resolve(document) === undefined)
        problems.push(at(node.range?.[0] ?? 0, '', `*${node.source} refers to no anchor. Add &${node.source}`));
    },
  });
  const problemAt = (path: KeyPath, message: string) => at(offsetOf(document, path), formatKeyPath(path), message);
  if (problems.length > 0) return { value: undefined, problems: inOrder([...problems, ...twice]), problemAt };
  keepSpelling(document);
  const plain = toPlain(document);
  if (plain.refusal !== undefined) return { value: undefined, problems: [at(0, '', plain.refusal)], problemAt };
  return { value: withoutNulls(plain.value), problems: twice, problemAt };
}

/** By line, then by column. */
export function inOrder(problems: readonly CatalogProblem[]): CatalogProblem[] {
  return problems.toSorted((left, right) => left.line - right.line || left.column - right.column);
}

/** `models."llama-3.1-8b".args[1]`, as messages and editors write it. */
export function formatKeyPath(path: KeyPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const key = /^[A-Za-z0-9_-]+$/.test(part) ? part : `"${part}"`;
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function offsetOf(document: Document.Parsed, path: KeyPath): number {
  let node: Node | null | undefined = document.contents;
  let offset = 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq<ParsedNode>(node)) {
      const item: ParsedNode | undefined = node.items[Number(part)];
      if (item === undefined) return offset;
      offset = item.range[0];
      node = item;
      continue;
    }
    if (!isMap<ParsedNode, ParsedNode | null>(node)) return offset;
    const pair: Pair<ParsedNode, ParsedNode | null> | undefined = node.items.find(
      ({ key }) => isScalar(key) && String(key.value) === String(part),
    );
    if (pair === undefined) return offset;
    offset = pair.key.range[0];
    node = pair.value;
  }
  return offset;
}

/** Gives numbers and booleans in engine arguments and environments back their text, before YAML's number forgets it. */
function keepSpelling(document: Document.Parsed): void {
  visit(document, {
    Scalar: (_, node, ancestors) => {
      if (typeof node.value !== 'number' && typeof node.value !== 'boolean') return;
      const keys = ancestors.flatMap((ancestor) => ('key' in ancestor && isScalar(ancestor.key) ? [String(ancestor.key.value)] : []));
      const setting = keys[0] === 'models' ? keys[2] : keys[0] === 'defaults' ? keys[1] : undefined;
      if (setting === 'env' || setting === 'args' || setting === 'command') node.value = node.source ?? String(node.value);
    },
  });
}

function toPlain(document: Document.Parsed): { value: Record<string, unknown>; refusal?: undefined } | { refusal: string } {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (isRecord(value)) return { value };
    if (value === null || value === undefined) return { refusal: 'the file is empty. Write at least one entry under models' };
    return { refusal: 'the file is not a map of settings. It begins with keys such as host: and models:' };
  } catch (error) {
    // Too many aliases of aliases are the one thing that yaml only finds here.
    if (error instanceof ReferenceError) return { refusal: `${sentence(error.message)}. Write the values out` };
    throw error;
  }
}

/** `models:` with everything under it commented out means an empty section, not the value null. */
function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  const sections = Object.entries(value).map(([key, section]) => [key, section ?? {}] as const);
  return Object.fromEntries(
    sections.map(([key, section]) => {
      if (key !== 'models' || !isRecord(section)) return [key, section];
      return [key, Object.fromEntries(Object.entries(section).map(([name, model]) => [name, model ?? {}]))];
    }),
  );
}

function describeTwice(text: string, offset: number): string {
  const key = /^[^\s:,}]+/.exec(text.slice(offset))?.[0] ?? 'a key';
  return `${key} is written twice. Remove one of them`;
}

function sentence(text: string): string {
  return text.trim().replace(/\.$/, '');
}
