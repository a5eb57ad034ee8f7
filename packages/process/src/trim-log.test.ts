import { appendFile, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readLogTail } from './read-log-tail.ts';
import { trimLog } from './trim-log.ts';

const MIB = 1024 * 1024;

async function createLog() {
  const directory = await mkdtemp(join(tmpdir(), 'berth-log-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'engine.log');
}

describe('trimLog', () => {
  it('keeps the last whole lines, and what the engine appends afterwards', async () => {
    const file = await createLog();
    const engine = await open(file, 'a');
    onTestFinished(() => engine.close());
    const line = `${'x'.repeat(999)}\n`;
    await engine.write(line.repeat(9000));
    await engine.write('last before\n');
    await trimLog(file, 8 * MIB);
    await engine.write('first after\n');
    expect((await stat(file)).size).toBeLessThan(5 * MIB);
    expect(await readLogTail(file, 3)).toEqual([line.trimEnd(), 'last before', 'first after']);
    expect((await readLogTail(file, 1_000_000))[0]).toHaveLength(999);
  });

  it('leaves a log within the limit alone, and one that is not there', async () => {
    const file = await createLog();
    await trimLog(file, 1);
    await appendFile(file, 'one\ntwo\n');
    await trimLog(file, 8);
    expect(await readLogTail(file, 10)).toEqual(['one', 'two']);
  });
});
