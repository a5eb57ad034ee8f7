import { property } from './prompts.ts';

/** Schemas may refer to themselves. */
const deepest = 16;

/**
 * The smallest value that satisfies a JSON schema, as far as an engine's grammars know it: `const`, `enum`, `$ref` into the schema itself, `anyOf` and
 * `oneOf` by their first, `allOf` merged, required properties, `minItems`, `minLength`, `minimum`. A schema that says nothing gives `{}`.
 */
export function minimalJson(schema: unknown): unknown {
  return valueOf(schema, schema, 0);
}

function valueOf(schema: unknown, root: unknown, depth: number): unknown {
  if (depth > deepest) return null;
  const inner = (part: unknown): unknown => valueOf(part, root, depth + 1);
  const reference = property(schema, '$ref');
  if (typeof reference === 'string') return inner(resolveReference(root, reference));
  const constant = property(schema, 'const');
  if (constant !== undefined) return constant;
  for (const key of ['enum', 'anyOf', 'oneOf'] as const) {
    const options = property(schema, key);
    if (Array.isArray(options) && options.length > 0) return key === 'enum' ? (options[0] as unknown) : inner(options[0]);
  }
  const parts = property(schema, 'allOf');
  if (Array.isArray(parts)) return Object.assign({}, ...parts.map(inner)) as unknown;
  switch (typeOf(schema)) {
    case 'string':
      return 'simulated'.padEnd(Number(property(schema, 'minLength') ?? 0), '.').slice(0, Number(property(schema, 'maxLength') ?? 1e6));
    case 'integer':
    case 'number':
      return Number(property(schema, 'minimum') ?? 0);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return Array.from({ length: Number(property(schema, 'minItems') ?? 0) }, () => inner(property(schema, 'items')));
    default:
      return requiredProperties(schema, inner);
  }
}

function requiredProperties(schema: unknown, inner: (part: unknown) => unknown): Record<string, unknown> {
  const required = property(schema, 'required');
  const names = Array.isArray(required) ? required.map(String) : [];
  return Object.fromEntries(names.map((name) => [name, inner(property(property(schema, 'properties'), name))]));
}

/** Of several types the first; without one an object. */
function typeOf(schema: unknown): unknown {
  const type = property(schema, 'type');
  return Array.isArray(type) ? type[0] : type;
}

/** `#/$defs/name` and the like. */
function resolveReference(root: unknown, reference: string): unknown {
  return reference
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .reduce<unknown>((value, part) => property(value, part), root);
}
