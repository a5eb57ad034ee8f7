import { format, inspect } from 'node:util';
import { expect, test } from 'vitest';
import { looksSecret, revealed, Secret } from './secret.ts';

test('a secret prints as redacted in every usual way and is revealed only on request', () => {
  const secret = new Secret('hunter2');
  const holder = { env: { HF_TOKEN: secret } };
  const printed = [
    String(secret),
    secret.toString(),
    secret.toJSON(),
    JSON.stringify(holder),
    inspect(holder, { depth: 9, showHidden: true }),
    format('%s %o %j', secret, secret, secret),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(Object.assign({}, secret)),
    JSON.stringify(structuredClone(secret)),
  ];
  expect(printed.join('\n')).not.toContain('hunter2');
  expect(JSON.stringify(holder)).toBe('{"env":{"HF_TOKEN":"[redacted]"}}');
  expect(inspect(secret)).toBe('[redacted]');
  expect([secret.reveal(), revealed(secret), revealed('plain')]).toEqual(['hunter2', 'hunter2', 'plain']);
});

test.each([
  ['HF_TOKEN', 'x'],
  ['OPENAI_API_KEY', 'x'],
  ['AWS_SECRET_ACCESS_KEY', 'x'],
  ['DB_PASSWORD', 'x'],
  ['password', 'x'],
  ['GOOGLE_CREDENTIALS', 'x'],
  ['HTTPS_PROXY', 'http://ada:pw@proxy:3128'],
  ['ANYTHING', 'hf_abcdefghijkl'],
])('%s=%s is a secret', (name, value) => {
  expect(looksSecret(name, value)).toBe(true);
});

test.each([
  ['VLLM_MAX_TOKENS_PER_BATCH', '8192'],
  ['TOKENIZERS_PARALLELISM', 'false'],
  ['KEYBOARD', 'us'],
  ['HTTPS_PROXY', 'http://proxy:3128'],
  ['VLLM_LOGGING_LEVEL', 'INFO'],
])('%s=%s is no secret', (name, value) => {
  expect(looksSecret(name, value)).toBe(false);
});
