import { describe, expect, it, vi } from 'vitest';
import { createTemporaryHost, eventually, oneGpu } from '../testing/temporary-host.ts';
import { attachCard, visibleGpus } from './attach-card.ts';
import { openCardProcess } from './card-process.ts';
import { holdForeignMemory } from './hold-foreign-memory.ts';
import { readCard } from './read-card.ts';
import { writeFaults } from './state-directory.ts';

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const usableMiB = 10_000;

function setUp(slowReleaseMs = 0) {
  const host = createTemporaryHost(oneGpu);
  const gpuUuid = host.gpus[0]?.uuid ?? '';
  const open = (name: string) =>
    openCardProcess({ stateDirectory: host.stateDirectory, containerId: null, name, label: name, slowReleaseMs });
  return { host, gpuUuid, open, [Symbol.dispose]: () => host[Symbol.dispose]() };
}

describe('a simulated card', () => {
  it('refuses what does not fit beside what others hold, and says what is free and held', () => {
    using card = setUp();
    const first = card.open('first');
    const second = card.open('second');
    expect(first.allocate(card.gpuUuid, 6000)).toEqual({ kind: 'allocated' });
    expect(second.allocate(card.gpuUuid, 1000)).toEqual({ kind: 'allocated' });
    expect(second.allocate(card.gpuUuid, 3001)).toEqual({ kind: 'out-of-memory', freeMiB: 3000, heldMiB: 1000, totalMiB: usableMiB });
    expect(second.allocate(card.gpuUuid, 3000)).toEqual({ kind: 'allocated' });
    expect(first.memoryInfo(card.gpuUuid)).toEqual({ totalMiB: usableMiB, freeMiB: 0 });
    first.close();
    second.close();
  });

  it('keeps the peak of each process and of the card after the memory is free', () => {
    using card = setUp();
    const owner = card.open('owner');
    owner.allocate(card.gpuUuid, 4000);
    owner.free(card.gpuUuid, 3000);
    owner.allocate(card.gpuUuid, 500);
    owner.close();
    const state = readCard(card.host.stateDirectory);
    expect(state.gpus[0]).toMatchObject({ usedMiB: 0, peakUsedMiB: 4000 });
    expect(state.processes[0]).toMatchObject({ name: 'owner', state: 'gone', peakMiB: { [card.gpuUuid]: 4000 } });
  });

  it('gives back the memory of a process that was killed', async () => {
    using card = setUp();
    const foreign = await holdForeignMemory({ stateDirectory: card.host.stateDirectory, gpuUuid: card.gpuUuid, mib: 7000 });
    expect(readCard(card.host.stateDirectory).gpus[0]?.usedMiB).toBe(7000);
    await foreign.release();
    expect(readCard(card.host.stateDirectory).gpus[0]?.usedMiB).toBe(0);
  });

  it('never lets processes that allocate at once exceed it', async () => {
    using card = setUp();
    const request = { stateDirectory: card.host.stateDirectory, gpuUuid: card.gpuUuid, mib: 4000 };
    const attempts = await Promise.allSettled([1, 2, 3, 4].map(async () => await holdForeignMemory(request)));
    const holders = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    expect(holders).toHaveLength(2);
    expect(readCard(card.host.stateDirectory).gpus[0]?.usedMiB).toBe(8000);
    await Promise.all(holders.map(async (holder) => await holder.release()));
  });

  it('keeps the memory of a dead process in use for the slow release, without its process', async () => {
    using card = setUp();
    writeFaults(card.host.stateDirectory, { slowReleaseMs: 60_000 });
    const foreign = await holdForeignMemory({ stateDirectory: card.host.stateDirectory, gpuUuid: card.gpuUuid, mib: 7000 });
    await foreign.release();
    const { gpus, processes } = readCard(card.host.stateDirectory);
    expect(gpus[0]?.usedMiB).toBe(7000);
    expect(processes[0]?.state).toBe('dead');
    writeFaults(card.host.stateDirectory, {});
    await eventually(() => expect(readCard(card.host.stateDirectory).gpus[0]?.usedMiB).toBe(0));
  });
});

describe('the cards that a process sees', () => {
  it('are chosen and ordered by CUDA_VISIBLE_DEVICES', () => {
    using host = createTemporaryHost([{ memoryTotalMiB: 1 }, { memoryTotalMiB: 2 }, { memoryTotalMiB: 3 }]);
    const [first, , third] = host.gpus.map((gpu) => gpu.uuid);
    const gpus = attachCard({ SIMULATED_GPU_STATE: host.stateDirectory }, 'compute')?.gpus ?? [];
    const seen = (value: string | undefined) => visibleGpus(gpus, value).map((gpu) => gpu.index);
    expect(seen(`${third},${first}`)).toEqual([2, 0]);
    expect(seen('1')).toEqual([1]);
    expect(seen(undefined)).toEqual([0, 1, 2]);
    expect(seen('')).toEqual([]);
    expect(seen(`${first},GPU-unknown,${third}`)).toEqual([0]);
  });

  it('are none without a state directory', () => {
    expect(attachCard({}, 'compute')).toBeUndefined();
  });
});
