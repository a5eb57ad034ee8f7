import { createHash } from 'node:crypto';
import { isOperationalError } from '@berth/core';
import { expect, test } from 'vitest';
import type { Catalog } from '../settings.ts';
import { loadCatalog } from './load-catalog.ts';

const MODELS = 'models:\n  llama-8b: { source: x/y, aliases: [gpt-4o] }\n  llama-70b: { source: x/z }\n  qwen: { source: x/q }\n';
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const [ONE, TWO] = [sha256('one'), sha256('two')];
const HOW = 'Write the 64 hex digits that this prints: printf %s "$KEY" | sha256sum';

test('a key may use every model and everything by default', () => {
  expect(load(`keys: [{ id: one, sha256: ${ONE} }]`).keys).toMatchObject([
    { id: 'one', models: ['llama-8b', 'llama-70b', 'qwen'], right: 'displace', maxInFlight: null, requestsPerMinute: null },
  ]);
});

test('the globs of a key stand for models by their own names, in the order of the catalog', () => {
  const [key] = load(`keys: [{ id: one, sha256: ${ONE}, models: [qwen, "llama-*"] }]`).keys;
  expect(key?.models).toEqual(['llama-8b', 'llama-70b', 'qwen']);
});

test.each([
  ['[use]', 'use'],
  ['[use, place]', 'place'],
  ['[displace]', 'displace'],
  ['[place, use]', 'place'],
])('rights %s are as much as %s, since each includes those before it', (rights, right) => {
  expect(load(`keys: [{ id: one, sha256: ${ONE}, rights: ${rights} }]`).keys[0]?.right).toBe(right);
});

test('a hash counts whatever its case, and does not print', () => {
  const catalog = load(`keys: [{ id: one, sha256: ${ONE.toUpperCase()} }]\nadminKeys: [{ id: root, sha256: ${TWO} }]`);
  expect(catalog.keys[0]?.sha256.reveal()).toBe(ONE);
  expect(catalog.adminKeys[0]?.sha256.reveal()).toBe(TWO);
  expect(JSON.stringify(catalog).toLowerCase()).not.toContain(ONE);
  expect(JSON.stringify(catalog)).not.toContain(TWO);
});

test('without keys there are none', () => {
  expect(load('')).toMatchObject({ keys: [], adminKeys: [] });
});

test('a glob that stands for no model is a warning, and one for an alias says whose', () => {
  const catalog = load(`keys:\n  - id: one\n    sha256: ${ONE}\n    models:\n      - mistral-*\n      - gpt-*\n      - qwen`);
  expect(catalog.warnings.map(({ line, key, message }) => `${line}: ${key}: ${message}`)).toEqual([
    '9: keys[0].models[0]: "mistral-*" matches no model. Write the name of a model, or a part of it with *',
    '10: keys[0].models[1]: "gpt-*" matches no model. Models are matched by their own names: write llama-8b',
  ]);
});

/** Name of the case, text below the models (from line 5), and its problems. */
const BAD: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'a key in clear',
    'keys: [{ id: one, sha256: sk-very-secret }]',
    [`5: keys[0].sha256: is no SHA-256 in hex. Never write the key itself. ${HOW}`],
  ],
  ['a key of digits in clear', 'keys: [{ id: one, sha256: 1234567890 }]', [`5: keys[0].sha256: is no text. In quotes, w${HOW.slice(1)}`]],
  ['no hash', 'adminKeys: [{ id: one }]', [`5: adminKeys[0].sha256: is missing. ${HOW}`]],
  ['no id', `keys: [{ sha256: ${ONE} }]`, ['5: keys[0].id: is missing. Add a name for the key']],
  [
    'a key for an id',
    `keys: [{ id: "sk very secret", sha256: ${ONE} }]`,
    ['5: keys[0].id: is not valid here. A name of a key has letters, digits and . _ -, at most 64, and begins with a letter or digit'],
  ],
  ['a list of keys in clear', 'keys: [sk-very-secret]', ['5: keys[0]: must be a map with id and sha256']],
  [
    'a key for the list',
    'keys: sk-very-secret',
    ['5: keys: is no list. Write one entry per key, each beginning with - id, or leave it out: the API is open then'],
  ],
  ['an empty list', 'keys: []', ['5: keys: is empty. Write at least one entry, or leave it out: the API is open then']],
  [
    'an empty list of admin keys',
    'adminKeys: []',
    ['5: adminKeys: is empty. Write at least one entry, or leave it out: without keys and adminKeys the admin API is open'],
  ],
  [
    'two keys of one name',
    `keys:\n  - { id: one, sha256: ${ONE} }\n  - { id: one, sha256: ${TWO} }`,
    ['7: keys[1].id: is the name of another entry of this list. Give each key a name of its own'],
  ],
  [
    'one key twice, in whatever case',
    `keys:\n  - { id: one, sha256: ${ONE} }\n  - { id: two, sha256: ${ONE.toUpperCase()} }`,
    ['7: keys[1].sha256: is the same key as keys[0]. Make another one: openssl rand -hex 32'],
  ],
  [
    'a key that is an admin key',
    `keys: [{ id: one, sha256: ${ONE} }]\nadminKeys: [{ id: one, sha256: ${ONE} }]`,
    ['6: adminKeys[0].sha256: is the same key as keys[0]. Make another one: openssl rand -hex 32'],
  ],
  [
    'the hash of a variable that was not set',
    `keys: [{ id: one, sha256: ${sha256('')} }]`,
    ['5: keys[0].sha256: is the SHA-256 of nothing at all. Set KEY before you hash it'],
  ],
  [
    'rights and limits that are none',
    `keys: [{ id: one, sha256: ${ONE}, rights: [plce], models: [], maxInFlight: 0, requestsPerMinute: 1.5 }]`,
    [
      '5: keys[0].rights[0]: the text "plce" is not one of the choices. Did you mean place? Known: use, place, displace',
      '5: keys[0].models: is empty. Write at least one, or leave the key out',
      '5: keys[0].maxInFlight: 0 is too small. Write at least 1',
      '5: keys[0].requestsPerMinute: must be a whole number, not 1.5',
    ],
  ],
  ['an unknown key', `keys: [{ id: one, sha256: ${ONE}, model: [qwen] }]`, ['5: keys[0].model: unknown key. Did you mean models?']],
];

test.each(BAD)('refuses %s, with its line and a remedy, and repeats no key', (_, text, expected) => {
  const message = refusalOf(text);
  expect(
    message
      .split('\n')
      .slice(1)
      .map((line) => line.slice('/etc/berth.yaml:'.length)),
  ).toEqual(expected);
  for (const secret of ['very', '1234567890', ONE, TWO]) expect(message.toLowerCase()).not.toContain(secret);
});

function load(text: string): Catalog {
  return loadCatalog({ path: '/etc/berth.yaml', home: '/home/ada', text: `${MODELS}${text}` });
}

function refusalOf(text: string): string {
  try {
    load(text);
    return '';
  } catch (error) {
    if (!isOperationalError(error, 'INVALID_CATALOG')) throw error;
    return error.message;
  }
}
