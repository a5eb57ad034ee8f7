import { describe, expect, it } from 'vitest';
import { createLogger, flatLogOf } from './create-logger.ts';
import type { LogLevel } from './create-logger.ts';
import type { FlatLog } from './flat-log.ts';

function recording(options: { readonly level?: LogLevel; readonly secrets?: readonly string[] } = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    service: 'edge',
    level: options.level ?? 'info',
    secrets: options.secrets ?? [],
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, flat: flatLogOf(logger), lines };
}
const withoutTime = (line: string | undefined): unknown => ({ ...(JSON.parse(line ?? '') as object), time: 0 });

describe('a flat log', () => {
  it.each(['info', 'warn'] as const)('writes at %s what the logger beside it would write', (level) => {
    const { logger, flat, lines } = recording();
    const fields = { model: 'org/ü "quoted"', status: 200, stream: true, code: null };
    flat[level](fields, 'request served');
    logger[level](fields, 'request served');
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(withoutTime(lines[0])).toEqual(withoutTime(lines[1]));
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ time: expect.any(Number) });
  });

  it('writes a line without fields', () => {
    const { flat, lines } = recording();
    flat.info({}, 'request served');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', service: 'edge', msg: 'request served' });
  });

  it('leaves out what is below its level', () => {
    const { flat, lines } = recording({ level: 'warn' });
    flat.info({}, 'request served');
    flat.warn({}, 'request failed');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['request failed']);
  });

  it.each(['the-password', 'hf_abcdefghijklmnopqrstuvwxyz', 'Bearer abcdefghijkl', 'bEaReR abcdefghijkl', 'sk-abcdefghijklmnopqrst'])(
    'never writes %s, whatever field it strayed into',
    (secret) => {
      const { flat, lines } = recording({ secrets: ['the-password'] });
      flat.info({ model: `a ${secret} b` }, 'request served');
      expect(lines[0]).not.toContain(secret.split(' ').at(-1));
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({ model: expect.stringContaining('[redacted]') });
    },
  );

  it('of a logger that somebody else made is that logger', () => {
    const other: FlatLog = { info: () => undefined, warn: () => undefined };
    expect(flatLogOf(other)).toBe(other);
  });
});
