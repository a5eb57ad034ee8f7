import { expect, it } from 'vitest';
import { minimalJson } from './minimal-json.ts';

it.each([
  [{}, {}],
  [{ type: 'object', properties: { a: { type: 'string' }, b: { type: 'integer' } }, required: ['b'] }, { b: 0 }],
  [{ enum: ['Kiel', 'Bremen'] }, 'Kiel'],
  [{ const: 7 }, 7],
  [{ type: 'array', items: { type: 'boolean' }, minItems: 2 }, [true, true]],
  [{ type: 'array', items: { type: 'boolean' } }, []],
  [{ type: ['number', 'null'], minimum: 3 }, 3],
  [{ type: 'string', maxLength: 3 }, 'sim'],
  [{ anyOf: [{ type: 'null' }, { type: 'string' }] }, null],
  [{ allOf: [{ type: 'object', properties: { a: { const: 1 } }, required: ['a'] }, { type: 'object' }] }, { a: 1 }],
  [{ $ref: '#/$defs/port', $defs: { port: { enum: ['Kiel'] } } }, 'Kiel'],
])('%j is satisfied by %j', (schema, value) => {
  expect(minimalJson(schema)).toEqual(value);
});

it('ends for a schema that needs itself', () => {
  const schema = {
    $ref: '#/$defs/node',
    $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, required: ['next'] } },
  };
  expect(JSON.stringify(minimalJson(schema))).toContain('null');
});
