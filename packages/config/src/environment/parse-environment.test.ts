import { inspect } from 'node:util';
import { isOperationalError } from '@berth/core';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { environmentFields } from './environment-fields.ts';
import { parseEnvironment } from './parse-environment.ts';

const schema = z
  .object({
    BERTH_PORT: environmentFields.port(8000),
    BERTH_HOST: environmentFields.host('127.0.0.1'),
    BERTH_REDIS_URL: environmentFields.redisUrl(),
    BERTH_CONFIG: environmentFields.path().optional(),
    BERTH_INSTALLATION: environmentFields.installation(),
    BERTH_REACH: environmentFields.reach('address'),
    HF_TOKEN: environmentFields.secret().optional(),
  })
  .transform((env) => ({ port: env.BERTH_PORT, host: env.BERTH_HOST, redisUrl: env.BERTH_REDIS_URL, reach: env.BERTH_REACH, ...env }));

test('gives a frozen value with defaults, and ignores variables of others', () => {
  const settings = parseEnvironment(schema, { BERTH_REDIS_URL: 'redis://localhost:6379', PATH: '/bin', BERTH_PORT: '9000' });
  expect(settings).toMatchObject({ port: 9000, host: '127.0.0.1', reach: 'address', BERTH_INSTALLATION: 'berth' });
  expect(settings).not.toHaveProperty('PATH');
  expect(Object.isFrozen(settings)).toBe(true);
  expect(settings.redisUrl.reveal()).toBe('redis://localhost:6379');
});

test('a variable that is set to nothing counts as not set', () => {
  const settings = parseEnvironment(schema, { BERTH_REDIS_URL: 'rediss://r', BERTH_PORT: '', BERTH_CONFIG: ' ', HF_TOKEN: '' });
  expect(settings).toMatchObject({ port: 8000 });
  expect([settings.BERTH_CONFIG, settings.HF_TOKEN]).toEqual([undefined, undefined]);
});

test('lists every problem by variable, with what to write', () => {
  const error = caught(() =>
    parseEnvironment(schema, { BERTH_PORT: '80a', BERTH_HOST: 'a b', BERTH_INSTALLATION: 'My Berth', BERTH_REACH: 'nam' }),
  );
  expect(isOperationalError(error, 'INVALID_SETTINGS') && error.message).toBe(
    [
      'The environment has 5 problems:',
      'BERTH_PORT: "80a" is not valid here. Write a port from 0 to 65535',
      'BERTH_HOST: "a b" is not valid here. Write an address such as 127.0.0.1 or 0.0.0.0',
      'BERTH_REDIS_URL: is missing. Write redis://host:6379, or rediss:// for TLS',
      'BERTH_INSTALLATION: "My Berth" is not valid here. Write lower-case letters, digits, _, . and -, at most 40, beginning with a letter or digit',
      'BERTH_REACH: the text "nam" is not one of the choices. Did you mean name? Known: name, address, loopback',
    ].join('\n'),
  );
});

test.each(['http://localhost', 'localhost:6379', 'redis://'])('refuses %s as a Redis URL', (url) => {
  expect(() => parseEnvironment(schema, { BERTH_REDIS_URL: url })).toThrow('BERTH_REDIS_URL: is no Redis URL');
});

test('a port beyond the last one is refused', () => {
  expect(() => parseEnvironment(schema, { BERTH_REDIS_URL: 'redis://r', BERTH_PORT: '70000' })).toThrow('BERTH_PORT: is no port');
});

test('a password is in no error and in no print', () => {
  const error = caught(() => parseEnvironment(schema, { BERTH_REDIS_URL: 'http://u:hunter2@r', HF_TOKEN: 'hunter2', BERTH_PORT: 'x' }));
  expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
  const settings = parseEnvironment(schema, { BERTH_REDIS_URL: 'redis://u:hunter2@r', HF_TOKEN: 'hunter2' });
  expect(inspect(settings, { depth: 9 }) + JSON.stringify(settings)).not.toContain('hunter2');
});

function caught(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
