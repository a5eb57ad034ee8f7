import * as fc from 'fast-check';

/** A body as a client may send it, with what is needed to send it. */
export interface FuzzedBody {
  readonly kind: 'json' | 'form';
  readonly bytes: Buffer;
  readonly boundary: string;
  /** Nothing was broken on purpose, and no two members or fields disagree: it must be served. */
  readonly isPlain: boolean;
}

const MODELS = ['tiny', 'plain', 'gpt-4o-mini', 'nope'];
const SPACE = fc.constantFrom('', ' ', '\n', '\r\n\t ');

/** Lengths around the sizes at which the edge changes its way: 64 KiB, and `largeBytes`, beyond which bodies flow. */
function fillers(largeBytes: number): fc.Arbitrary<string> {
  const length = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
    { weight: 2, arbitrary: near(64 * 1024) },
    { weight: 2, arbitrary: near(largeBytes) },
    { weight: 1, arbitrary: fc.constant(2 * largeBytes) },
  );
  const unit = fc.constantFrom(
    'x',
    '\\"',
    '\\\\',
    '\\u0022',
    '{"model":"plain"}',
    '"model":"tiny",',
    'é',
    '模',
    '\\n}',
    '-b',
    '\r\n',
    '--b',
  );
  return fc.tuple(unit, length).map(([text, bytes]) => text.repeat(Math.ceil(bytes / Buffer.byteLength(text))));
}

function near(bytes: number): fc.Arbitrary<number> {
  return fc.integer({ min: bytes - 150, max: bytes + 150 });
}

/** The text in which a JSON string stands, with some characters escaped. */
function quoted(text: string): fc.Arbitrary<string> {
  return fc.integer({ min: 0, max: 2 * text.length + 4 }).map((at) => {
    const character = text[at];
    if (character === undefined) return JSON.stringify(text);
    const escaped = `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return `"${JSON.stringify(text.slice(0, at)).slice(1, -1)}${escaped}${JSON.stringify(text.slice(at + 1)).slice(1, -1)}"`;
  });
}

function jsonTexts(largeBytes: number): fc.Arbitrary<{ text: string; models: readonly string[] }> {
  const model = fc.constantFrom(...MODELS);
  const modelMember = model.chain((name) =>
    fc.tuple(quoted('model'), quoted(name)).map(([key, value]) => ({ key, value, model: name as string | null })),
  );
  const noName = fc
    .constantFrom('null', '1', '{"model":"tiny"}', '["tiny"]', 'true', '""', `"${'x'.repeat(5000)}"`, '1'.repeat(5000))
    .map((value) => ({ key: '"model"', value, model: 'no name' as string | null }));
  const otherKey = fc.constantFrom('"Model"', '"models"', '"\\"model\\""', '"stream"', '""', `"${'k'.repeat(5000)}"`, '"__proto__"');
  const otherValue = fc.oneof(
    fillers(largeBytes).map((text) => JSON.stringify(text)),
    fc.json({ maxDepth: 4 }),
    fc.constantFrom('{"model":"plain"}', '[{"model":"plain"}]', '[[[]]]', '-1.5e3', 'true'),
  );
  const other = fc.tuple(otherKey, otherValue).map(([key, value]) => ({ key, value, model: null }));
  const member = fc.oneof({ weight: 3, arbitrary: modelMember }, { weight: 1, arbitrary: noName }, { weight: 6, arbitrary: other });
  return fc
    .record({
      members: fc.array(member, { maxLength: 6 }),
      first: fc.option(modelMember, { freq: 5 }),
      behind: fc.boolean(),
      space: SPACE,
      mark: fc.boolean(),
    })
    .map(({ members, first, behind, space, mark }) => {
      const all = withOne(members, first, behind);
      const inside = all.map(({ key, value }) => `${space}${key}${space}:${space}${value}${space}`).join(',');
      return { text: `${mark ? '\ufeff' : ''}${space}{${inside}}${space}`, models: all.flatMap((one) => one.model ?? []) };
    });
}

function formTexts(largeBytes: number): fc.Arbitrary<{ text: string; models: readonly string[]; boundary: string }> {
  const value = fc.constantFrom(...MODELS);
  const modelPart = fc.tuple(value, fc.constantFrom('name="model"', 'name=model', 'NAME="model"')).map(([name, disposition]) => ({
    head: `Content-Disposition: form-data; ${disposition}`,
    content: name,
    model: name as string | null,
  }));
  const strange = fc
    .constantFrom(
      'form-data; name="model"; filename="a"',
      'form-data; name="other"; name="model"',
      'form-data; name="model"; name*=utf-8\'\'other',
      'form-data; name*=utf-8\'\'model; name="other"',
      'form-data; name="mod\\el"',
      'form-data; x="a\\\\"; name="model"',
      'form-data; x="; name=\\"model\\""; name="other"',
      'attachment; name="model"',
      'form-data; name="model";',
      'form-data;\r\n name="model"',
      'form-data; name="other"\r\nContent-Disposition: form-data; name="model"',
    )
    .map((disposition) => ({ head: `Content-Disposition: ${disposition}`, content: 'plain', model: 'strange' as string | null }));
  const file = fillers(largeBytes).map((content) => ({
    head: 'Content-Disposition: form-data; name="file"; filename="model"\r\nContent-Type: audio/wav',
    content,
    model: null,
  }));
  const hostile = fc
    .constantFrom(
      '\r\n--b',
      '\r\n--bX\r\n',
      '\n--b\r\n',
      '\r--b\r\n',
      '\r\n--b  \r\n',
      '\r--b',
      '\r\n--b ',
      '\r\n--b \t\r\n',
      '--b--',
      '\r\n--',
      '\r\n-',
    )
    .map((content) => ({
      head: 'Content-Disposition: form-data; name="file"; filename="a"',
      content: `some${content}Content-Disposition: form-data; name="model"\r\n\r\nplain`,
      model: 'strange' as string | null,
    }));
  const part = fc.oneof(
    { weight: 2, arbitrary: modelPart },
    { weight: 1, arbitrary: strange },
    { weight: 4, arbitrary: file },
    { weight: 1, arbitrary: hostile },
  );
  return fc
    .record({
      parts: fc.array(part, { maxLength: 5 }),
      first: fc.option(modelPart, { freq: 5 }),
      behind: fc.boolean(),
      boundary: fc.constantFrom('b', "'()+_,-./:=?", 'x'.repeat(70)),
      begin: fc.constantFrom('', '', '', '\r\n', '\n', 'preamble\r\n'),
      end: fc.constantFrom('--\r\n', '--', '--\r\nContent-Disposition: form-data; name="model"\r\n\r\nplain\r\n', '-', '', '\r\n'),
    })
    .map(({ parts, first, behind, boundary, begin, end }) => {
      const all = withOne(parts, first, behind);
      const text = `${begin}${all.map(({ head, content }) => `--b\r\n${head}\r\n\r\n${content}\r\n`).join('')}--b${end}`;
      const broken = begin.length > 2 || begin === '\n' || !end.startsWith('--');
      const models = [...all.flatMap(({ model }) => model ?? []), ...(broken ? ['broken'] : [])];
      // A file may hold the boundary; that is a client's mistake, and the same for every boundary.
      return {
        text: text.replaceAll('--b', `--${boundary}`),
        models: /\n--b/u.test(all.map(({ content }) => `\n${content}\n`).join('')) ? [...models, 'broken'] : models,
        boundary,
      };
    });
}

function withOne<T>(many: readonly T[], one: T | null, behind: boolean): readonly T[] {
  if (one === null) return many;
  return behind ? [...many, one] : [one, ...many];
}

/** A byte taken away, put in or changed. */
const mutation = fc.option(
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    kind: fc.constantFrom('drop', 'put', 'change'),
    byte: fc.constantFrom(0, 0x22, 0x5c, 0x0a, 0x0d, 0x2d, 0x3b, 0xff),
  }),
  { freq: 3 },
);

/** Bodies of both kinds; those larger than `largeBytes` flow through the edge. */
export function fuzzedBodies(largeBytes: number): fc.Arbitrary<FuzzedBody> {
  const json = jsonTexts(largeBytes).map((body) => ({ ...body, kind: 'json' as const, boundary: '' }));
  const form = formTexts(largeBytes).map((body) => ({ ...body, kind: 'form' as const }));
  return fc.tuple(fc.oneof(json, form), mutation).map(([{ text, models, kind, boundary }, change]) => {
    const bytes = Buffer.from(text);
    const isPlain = change === null && new Set(models).size === 1 && MODELS.includes(models[0] ?? '');
    return { kind, boundary, isPlain, bytes: change === null ? bytes : mutated(bytes, change) };
  });
}

function mutated(bytes: Buffer, { at, kind, byte }: { readonly at: number; readonly kind: string; readonly byte: number }): Buffer {
  const index = Math.floor(at * bytes.length);
  const put = kind === 'drop' ? Buffer.alloc(0) : Buffer.of(byte);
  return Buffer.concat([bytes.subarray(0, index), put, bytes.subarray(kind === 'put' ? index : index + 1)]);
}
