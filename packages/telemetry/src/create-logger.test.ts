import { describe, expect, it } from 'vitest';
import { createLogger } from './create-logger.ts';
import type { Logger, LogLevel } from './create-logger.ts';

/** A logger whose lines can be read. */
function recordingLogger(secrets: readonly string[] = [], level: LogLevel = 'info'): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  return { logger: createLogger({ service: 'edge', level, secrets, destination: { write: (line) => void lines.push(line) } }), lines };
}
const parsed = (line: string | undefined): Record<string, unknown> => JSON.parse(line ?? '');

describe('createLogger', () => {
  it('writes one JSON object per line, with level, time, service and the bound fields', () => {
    const { logger, lines } = recordingLogger();
    logger.child({ model: 'llama', gpuUuid: 'GPU-1' }).info({ waitedMs: 12 }, 'endpoint became ready');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(parsed(lines[0])).toEqual({
      level: 'info',
      time: expect.any(Number),
      service: 'edge',
      pid: process.pid,
      model: 'llama',
      gpuUuid: 'GPU-1',
      waitedMs: 12,
      msg: 'endpoint became ready',
    });
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = recordingLogger([], 'warn');
    logger.info('request was served');
    logger.warn('lease expired');
    expect(lines.map((line) => parsed(line)['msg'])).toEqual(['lease expired']);
  });

  it.each([
    { authorization: 'Bearer abcdefghij' },
    { headers: { 'x-other': 'very-secret' } },
    { request: { headers: { authorization: 'very-secret' } } },
    { request: { 'x-api-key': 'very-secret' } },
    { spec: { env: { A: 'very-secret' } } },
    { container: { Config: { Env: ['A=very-secret'] } } },
    { settings: { redis: { password: 'very-secret' } } },
    { HF_TOKEN: 'very-secret' },
    { a: { b: { c: { apiKey: 'very-secret' } } } },
  ])('never writes the secret in %j', (fields) => {
    const { logger, lines } = recordingLogger();
    logger.info(fields, 'engine was created');
    expect(lines[0]).not.toMatch(/very-secret|abcdefghij/u);
    expect(lines[0]).toContain('[redacted]');
    expect(parsed(lines[0])['msg']).toBe('engine was created');
  });

  it('redacts what an error carries', () => {
    const { logger, lines } = recordingLogger();
    const err = Object.assign(new TypeError('refused'), { code: 'X', details: { gpus: 2, env: { A: 'very-secret' } } });
    logger.error({ err }, 'engine was refused');
    expect(lines[0]).not.toContain('very-secret');
    expect(parsed(lines[0])).toMatchObject({ err: { type: 'TypeError', message: 'refused', code: 'X', details: { gpus: 2 } } });
  });

  it('leaves the objects that it is given as they are, and gets through one that contains itself', () => {
    const { logger, lines } = recordingLogger();
    const fields: Record<string, unknown> = { engines: [{ env: { A: 'very-secret' } }] };
    fields['self'] = fields;
    logger.info(fields, 'engines were listed');
    expect(fields['engines']).toEqual([{ env: { A: 'very-secret' } }]);
    expect(parsed(lines[0])['engines']).toEqual([{ env: '[redacted]' }]);
  });

  it('redacts the fields that a child logger binds', () => {
    const { logger, lines } = recordingLogger();
    logger
      .child({ model: 'llama' })
      .child({ env: { A: 'very-secret' }, spec: { env: { A: 'very-secret' } } })
      .info('engine was created');
    expect(lines[0]).not.toContain('very-secret');
    expect(parsed(lines[0])).toMatchObject({ model: 'llama', env: '[redacted]', spec: { env: '[redacted]' } });
  });

  it('takes known secrets out of every text, the stack of an error included', () => {
    const secret = 'pass"word\\1';
    const { logger, lines } = recordingLogger([secret]);
    logger.error({ err: new TypeError(`cannot log in with ${secret}`), said: `tried ${secret}` }, 'login failed');
    expect(lines[0]).not.toContain(JSON.stringify(secret).slice(1, -1));
    expect(parsed(lines[0])).toMatchObject({ said: 'tried [redacted]', err: { message: 'cannot log in with [redacted]' } });
  });

  it.each([
    'token hf_abcdefghijklmnopqrstuvwxyz012345 was refused',
    'sent Authorization: Bearer abcdefghijklmnop',
    'key sk-proj-abcdefghijklmnopqrst was refused',
    'cannot reach redis://user:abcdefghijkl@redis:6379/0',
  ])('takes what looks like a key out of "%s"', (said) => {
    const { logger, lines } = recordingLogger();
    logger.info({ said }, 'engine wrote a line');
    expect(lines[0]).not.toContain('abcdefghijkl');
    expect(parsed(lines[0])['said']).toContain('[redacted]');
  });

  it('leaves ordinary texts as they are', () => {
    const { logger, lines } = recordingLogger(['abc']);
    const said = 'abc http://llama-1795:8000/v1/models sk-8 hf_home GPU-5f6c1a52-8a0e';
    logger.info({ said }, 'engine wrote a line');
    expect(parsed(lines[0])['said']).toBe(said);
  });
});
