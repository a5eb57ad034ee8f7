import { readFileSync } from 'node:fs';
import { OperationalError } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { parseGpus } from './parse-gpus.ts';

const recorded = (name: string): string => readFileSync(new URL(`../recorded/${name}`, import.meta.url), 'utf8');
const line = (columns: string): string => `0, GPU-00000000-0000-0000-0000-000000000001, NVIDIA L40S, ${columns}`;

describe('parseGpus', () => {
  it('reads every card with its memory in MiB', () => {
    expect(parseGpus(recorded('gpus-h100-pair.csv'))).toEqual([
      {
        uuid: 'GPU-5f6c1a52-8a0e-4c7b-9d1e-2f3a4b5c6d7e',
        index: 0,
        product: 'NVIDIA H100 80GB HBM3',
        totalMiB: 81559,
        driverReservedMiB: 551,
        usedMiB: 45210,
        freeMiB: 35799,
      },
      {
        uuid: 'GPU-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0',
        index: 1,
        product: 'NVIDIA H100 80GB HBM3',
        totalMiB: 81559,
        driverReservedMiB: 551,
        usedMiB: 18001,
        freeMiB: 63007,
      },
    ]);
  });

  it('takes every text that stands for no number as unknown, never as zero', () => {
    const [first, second] = parseGpus(recorded('gpus-unavailable.csv'));
    expect(first).toMatchObject({ totalMiB: null, driverReservedMiB: null, usedMiB: null, freeMiB: null });
    expect(second).toMatchObject({ totalMiB: 24564, driverReservedMiB: null, usedMiB: null, freeMiB: null });
  });

  it('keeps a comma in a product name', () => {
    expect(parseGpus(recorded('gpus-unavailable.csv'))[1]?.product).toBe('Quadro, Custom Edition');
  });

  it('gives no numbers for a card in MIG mode and leaves its neighbour alone', () => {
    const [cut, whole] = parseGpus(recorded('gpus-mig.csv'));
    expect(cut).toMatchObject({ migEnabled: true, totalMiB: null, usedMiB: null, freeMiB: null });
    expect(whole).toMatchObject({ totalMiB: 81920, usedMiB: 4, freeMiB: 81301 });
    expect(whole).not.toHaveProperty('migEnabled');
  });

  it('reads a card that tells nothing (GB10)', () => {
    expect(parseGpus(recorded('gpus-gb10.csv'))).toMatchObject([{ product: 'NVIDIA GB10', totalMiB: null, usedMiB: null }]);
  });

  it('accepts Windows line ends and MiB as a unit', () => {
    expect(parseGpus(`${line('46068 MiB, 600 MiB, 0 MiB, 45468 MiB, [N/A]')}\r\n`)).toMatchObject([{ totalMiB: 46068, usedMiB: 0 }]);
  });

  it.each([
    ['a missing column', '0, GPU-00000000-0000-0000-0000-000000000001, NVIDIA L40S, 46068, 600, 0, 45468', '7 columns'],
    ['a unit other than MiB', line('44.9 GiB, 600, 0, 45468, Disabled'), '44.9 GiB'],
    ['a negative number', line('46068, 600, -1, 45468, Disabled'), '-1'],
    ['an empty column', line('46068, 600, , 45468, Disabled'), '""'],
    ['a text nobody knows', line('46068, 600, [Something New], 45468, Disabled'), '[Something New]'],
    ['no UUID', '0, 0000:01:00.0, NVIDIA L40S, 46068, 600, 0, 45468, Disabled', '0000:01:00.0'],
    ['no index', `x, GPU-00000000-0000-0000-0000-000000000001, NVIDIA L40S, 46068, 600, 0, 45468, Disabled`, 'GPU index'],
    ['prose', 'No devices were found', 'No devices were found'],
  ])('refuses %s and shows the line', (_case, text, shown) => {
    const refusal = failureOf(() => parseGpus(text));
    expect(refusal).toMatchObject({ code: 'GPU_PROBE_FAILED', retryable: false, details: { line: text } });
    expect(refusal.message).toContain(shown);
  });

  it('refuses a card that is listed twice', () => {
    const card = line('46068, 600, 0, 45468, Disabled');
    expect(failureOf(() => parseGpus(`${card}\n${card}\n`)).code).toBe('GPU_PROBE_FAILED');
  });
});

function failureOf(act: () => unknown): OperationalError {
  try {
    act();
  } catch (error) {
    if (error instanceof OperationalError) return error;
    throw error;
  }
  throw new TypeError('nothing was refused');
}
