import { eventually } from '../../support/eventually.ts';

/** What the upstream tells of its answers, by the ids that requests gave them. */
export interface UpstreamReport {
  /** Answers under way. */
  readonly active: number;
  /** Bytes of each answer under way that the system has taken from the upstream. */
  readonly takenBytes: Readonly<Record<string, number>>;
  /** When each connection ended whose answer was under way, by the clock of `monotonicNs`. */
  readonly cutAtNs: Readonly<Record<string, number>>;
}

export async function readUpstream(port: number): Promise<UpstreamReport> {
  const response = await fetch(`http://127.0.0.1:${port}/bench`, { headers: { connection: 'close' } });
  return (await response.json()) as UpstreamReport;
}

/** Waits until so many answers are under way. */
export async function awaitActive(port: number, count: number): Promise<void> {
  await eventually(`${count} answers under way`, async () => (await readUpstream(port)).active === count);
}
