import { describe, expect, it } from 'vitest';
import { createLogger, flatLogOf } from './create-logger.ts';
import type { LogLevel } from './create-logger.ts';
import { FlatLog } from './flat-log.ts';
import { createSieve } from './redact.ts';

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
const SECRETS = [
  'the-password',
  'pass"word\\1',
  'hf_abcdefghijklmnopqrstuvwxyz',
  'Bearer abcdefghijkl',
  'bEaReR abcdefghijkl',
  'sk-abcdefghijklmnopqrst',
];
const withoutTime = (line: string | undefined): unknown => ({ ...(JSON.parse(line ?? '') as object), time: 0 });

describe('a flat log', () => {
  it.each(['info', 'warn'] as const)('writes at %s what the logger beside it would write', (level) => {
    const { logger, flat, lines } = recording();
    const requestId = '2b0f7c9e-9f1d-4a54-9f0b-0e6d5f1f1c11';
    for (const model of ['org/ü "quoted"', 'llama', 'org/ü "quoted"']) {
      expect(flat.begin(level)).toBe(true);
      flat.id(flat.field('requestId'), requestId);
      flat.text(flat.repeated('model'), model);
      flat.number(flat.field('status'), 200);
      flat.tenths(flat.field('waitedMs'), 12.345);
      flat.flag(flat.field('stream'), true);
      flat.flag(flat.field('cold'), false);
      flat.end('request served');
      logger[level]({ requestId, model, status: 200, waitedMs: 12.3, stream: true, cold: false }, 'request served');
      expect(lines[0]?.endsWith('}\n')).toBe(true);
      expect(withoutTime(lines[0])).toEqual(withoutTime(lines[1]));
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({ time: expect.any(Number) });
      lines.length = 0;
    }
  });

  it('leaves out what is null', () => {
    const { flat, lines } = recording();
    flat.begin('info');
    flat.text(flat.repeated('code'), null);
    flat.number(flat.field('status'), null);
    flat.tenths(flat.field('waitedMs'), null);
    flat.end('request served');
    expect(withoutTime(lines[0])).toEqual({ level: 'info', time: 0, service: 'edge', pid: process.pid, msg: 'request served' });
  });

  it('leaves out what is below its level', () => {
    const { flat, lines } = recording({ level: 'warn' });
    expect(flat.begin('info')).toBe(false);
    writeModel(flat, 'llama', 'warn');
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['warn']);
  });

  it.each(SECRETS)('never writes %s, whatever text it strayed into and however often', (secret) => {
    const { flat, lines } = recording({ secrets: ['the-password', 'pass"word\\1'] });
    const model = flat.repeated('model');
    for (const value of [`a ${secret} b`, 'llama', `a ${secret} b`]) writeModel(flat, value, 'info', model);
    for (const line of lines) expect(line).not.toContain(JSON.stringify(secret).slice(1, -1).split(' ').at(-1));
    expect(lines.map((line) => (JSON.parse(line) as { model: string }).model)).toEqual([
      expect.stringMatching(/^a .*\[redacted\] b$/u),
      'llama',
      expect.stringMatching(/^a .*\[redacted\] b$/u),
    ]);
  });

  it('never writes a secret of its base or its message', () => {
    const lines: string[] = [];
    const flat = new FlatLog({
      destination: { write: (line) => void lines.push(line) },
      base: { service: 'the-password' },
      sieve: createSieve(['the-password']),
      isWritten: () => true,
    });
    flat.begin('info');
    flat.end('the-password was said');
    expect(lines).toEqual([expect.stringMatching(/"service":"\[redacted\]","msg":"\[redacted\] was said"\}\n$/u)]);
  });

  it('has no field for what goes under the name of a secret', () => {
    const { flat } = recording();
    // @ts-expect-error: no such name
    flat.repeated('authorization');
    // @ts-expect-error: nor in another spelling
    flat.field('HF_TOKEN');
    flat.field('promptTokens');
  });

  it('keeps writing the right texts when a field has more of them than are kept ready', () => {
    const { flat, lines } = recording();
    const field = flat.repeated('generation');
    const values = Array.from({ length: 2500 }, (_, at) => String(at % 1250));
    for (const value of values) writeModel(flat, value, 'info', field);
    expect(lines.map((line) => (JSON.parse(line) as { generation: string }).generation)).toEqual(values);
  });

  it('of a logger that somebody else made reaches that logger, as fields and a message', () => {
    const heard: unknown[] = [];
    const note = (level: string) => (fields: object, message: string) => void heard.push([level, fields, message]);
    const flat = flatLogOf({ info: note('info'), warn: note('warn') });
    writeModel(flat, 'llama', 'info');
    writeModel(flat, 'qwen', 'warn');
    expect(heard).toEqual([
      ['info', { model: 'llama' }, 'request served'],
      ['warn', { model: 'qwen' }, 'request served'],
    ]);
  });
});

function writeModel(flat: FlatLog, model: string, level: 'info' | 'warn', field = flat.repeated('model')): void {
  flat.begin(level);
  flat.text(field, model);
  flat.end('request served');
}
