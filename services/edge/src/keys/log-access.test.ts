import { Secret } from '@berth/config';
import { expect, test } from 'vitest';
import { logAccess } from './log-access.ts';

const admin = { id: 'root', sha256: new Secret('hash') };
const key = { ...admin, models: [], right: 'use', maxInFlight: null, requestsPerMinute: null } as const;

test.each([
  ['an open API on this machine', [], [], '127.0.0.1', ['info: api opened without keys']],
  ['an open API on the network', [], [], '0.0.0.0', ['warn: api opened to the network without keys']],
  ['an open API beside admin keys', [], [admin], '0.0.0.0', ['warn: api opened to the network without keys']],
  ['an admin API that nobody may use', [key], [], '0.0.0.0', ['warn: admin api closed']],
  ['nothing where both have keys', [key], [admin], '0.0.0.0', []],
])('says once at start: %s', (_, keys, adminKeys, host, expected) => {
  const lines: string[] = [];
  const note = (level: string) => (_fields: object, message: string) => void lines.push(`${level}: ${message}`);
  logAccess({ info: note('info'), warn: note('warn'), error: note('error') }, { keys, adminKeys }, host);
  expect(lines).toEqual(expected);
});
