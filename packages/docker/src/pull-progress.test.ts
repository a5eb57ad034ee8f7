import { describe, expect, it } from 'vitest';
import type { PullEvent } from './pull-progress.ts';
import { PullMeter } from './pull-progress.ts';

const downloading = (id: string, current: number, total: number): PullEvent => ({
  id,
  status: 'Downloading',
  progressDetail: { current, total },
});

function fractions(events: readonly PullEvent[]): (number | null)[] {
  const meter = new PullMeter();
  return events.map((event) => meter.add(event).fraction);
}

describe('PullMeter', () => {
  it('knows nothing before the first size is known', () => {
    expect(
      fractions([
        { id: '1', status: 'Pulling from test/image' },
        { id: 'a', status: 'Pulling fs layer' },
        { id: 'a', status: 'Waiting' },
      ]),
    ).toEqual([null, null, null]);
  });

  it('counts a layer that has not begun like the average of the others', () => {
    expect(
      fractions([{ id: 'a', status: 'Pulling fs layer' }, { id: 'b', status: 'Pulling fs layer' }, downloading('a', 100, 100)]),
    ).toEqual([null, null, 0.35]);
  });

  it('weighs layers by their size, and unpacking after downloading', () => {
    const [, , last] = fractions([downloading('a', 0, 300), downloading('b', 0, 100), { id: 'a', status: 'Pull complete' }]);
    expect(last).toBeCloseTo(0.75);
  });

  it('never goes back when a new layer is announced', () => {
    const seen = fractions([downloading('a', 100, 100), { id: 'b', status: 'Pulling fs layer' }, downloading('b', 1, 10_000)]);
    expect(seen).toEqual([0.7, 0.7, 0.7]);
  });

  it('ends at the whole', () => {
    const seen = fractions([
      downloading('a', 5, 10),
      { id: 'b', status: 'Already exists' },
      { id: 'a', status: 'Pull complete' },
      { status: 'Digest: sha256:1' },
    ]);
    expect(seen.at(-1)).toBe(1);
  });

  it('says which layer does what', () => {
    expect(new PullMeter().add({ id: 'a', status: 'Extracting' }).message).toBe('a: Extracting');
    expect(new PullMeter().add({ status: 'Digest: sha256:1' }).message).toBe('Digest: sha256:1');
  });
});
