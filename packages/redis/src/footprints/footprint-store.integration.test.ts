import { asId } from '@berth/core';
import type { Footprint, Term } from '@berth/core';
import { Redis } from 'ioredis';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { targetOf, termOf } from '../../test-support/builders.ts';
import { startRedis } from '../../test-support/start-redis.ts';
import type { TestRedis } from '../../test-support/start-redis.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import { takeLeadership } from '../scripts/take-leadership.ts';
import { createFootprintStore } from './footprint-store.ts';
import { openInstallation } from './installation.ts';

function footprintOf(model: string): Footprint {
  return {
    model: asId(model),
    signature: asId('signature'),
    imageId: 'sha256:1',
    gpuProduct: 'Sim 24 GB',
    gpuCount: 1,
    vramMiB: 9000,
    source: 'discovered',
    samples: [{ measuredMiB: [8700], atMs: 1 }],
    loads: [{ totalMs: 5000, byPhaseMs: { weights: 3000 }, atMs: 1 }],
    kvCacheBytes: null,
    breakdownMiB: { weights: 4000 },
    learnedAtMs: 1,
  };
}

describe('footprint store', () => {
  let redis: TestRedis;
  let raw: Redis;
  let target: RedisTarget;
  let term: Term;
  let directory: string;
  let file: string;

  beforeAll(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
  });
  afterAll(async () => {
    raw.disconnect();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    target = targetOf(redis.url);
    directory = await mkdtemp(join(tmpdir(), 'berth-footprints-'));
    file = join(directory, 'memory_footprints.json');
    const taken = await takeLeadership(raw, createKeys(target.hostId), { id: 'me', ttlMs: 60_000, takenEpoch: '0' });
    term = termOf(taken.kind === 'taken' ? taken.epoch : '');
    return () => rm(directory, { recursive: true });
  });

  it('begins empty without a file, and mirrors every footprint to it', async () => {
    await using store = await createFootprintStore({ target, file });
    expect(await store.list()).toEqual([]);
    await Promise.all([store.put(term, footprintOf('b')), store.put(term, footprintOf('a'))]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ version: 1, footprints: [footprintOf('a'), footprintOf('b')] });
    expect(await readdir(directory)).toEqual(['memory_footprints.json']);
    expect(store.mirrorProblem()).toBeNull();
  });

  it('fills an emptied Redis from the file, also when the first call afterwards is a put', async () => {
    await using store = await createFootprintStore({ target, file });
    await store.put(term, footprintOf('a'));
    await raw.del(createKeys(target.hostId).footprints);
    await store.put(term, footprintOf('b'));
    expect((await store.list()).map(({ model }) => model).toSorted()).toEqual(['a', 'b']);
    await raw.del(createKeys(target.hostId).footprints);
    expect(await store.list()).toHaveLength(2);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ footprints: [{ model: 'a' }, { model: 'b' }] });
  });

  it.each([
    ['broken text', '{"version":1,'],
    ['another version', '{"version":2,"footprints":[]}'],
    ['a wrong field', JSON.stringify({ version: 1, footprints: [{ ...footprintOf('a'), vramMiB: '9000' }] })],
  ])('refuses to start on a file with %s, and leaves it untouched', async (_what, text) => {
    await writeFile(file, text);
    await expect(createFootprintStore({ target, file })).rejects.toMatchObject({ code: 'FOOTPRINTS_UNREADABLE' });
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('never overwrites a file that breaks later; Redis keeps what is learned', async () => {
    await using store = await createFootprintStore({ target, file });
    await store.put(term, footprintOf('a'));
    await writeFile(file, 'edited by hand');
    await store.put(term, footprintOf('b'));
    expect(await readFile(file, 'utf8')).toBe('edited by hand');
    expect(store.mirrorProblem()).toMatchObject({ code: 'FOOTPRINTS_NOT_MIRRORED' });
    expect(await store.list()).toHaveLength(2);
  });

  it('reports a mirror that cannot be written, and catches up with the next footprint', async () => {
    const missing = join(directory, 'blocked');
    await writeFile(missing, 'a file where a directory is needed');
    const blocked = join(missing, 'memory_footprints.json');
    // The file appears as unreadable only when it is written: at the start there is none.
    await rm(missing);
    await using store = await createFootprintStore({ target, file: blocked });
    await writeFile(missing, 'a file where a directory is needed');
    await store.put(term, footprintOf('a'));
    expect(store.mirrorProblem()?.message).toContain(blocked);
    await rm(missing);
    await store.put(term, footprintOf('b'));
    expect(store.mirrorProblem()).toBeNull();
    expect(JSON.parse(await readFile(blocked, 'utf8'))).toMatchObject({ footprints: [{ model: 'a' }, { model: 'b' }] });
  });

  it('refuses a footprint of another epoch', async () => {
    await using store = await createFootprintStore({ target, file });
    await expect(store.put(termOf('1'), footprintOf('a'))).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' });
    expect(await store.list()).toEqual([]);
  });
});

describe('installation', () => {
  it('gets one id, however many processes ask at once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-installation-'));
    const ids = await Promise.all(Array.from({ length: 20 }, () => openInstallation(directory)));
    expect(new Set(ids).size).toBe(1);
    expect(await openInstallation(directory)).toBe(ids[0]);
    expect(await readdir(directory)).toEqual(['installation.json']);
    await rm(directory, { recursive: true });
  });

  it('refuses a broken file rather than making another id', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-installation-'));
    await writeFile(join(directory, 'installation.json'), '{}');
    await expect(openInstallation(directory)).rejects.toMatchObject({ code: 'INVALID_SETTINGS' });
    await rm(directory, { recursive: true });
  });
});
