import { readFileSync } from 'node:fs';

/** Whether something answers 200 there. */
export async function isAnswering(url: string | null): Promise<boolean> {
  if (url === null) return false;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Whether that process runs; one that has ended and waits for its parent does not. */
export function isProcessAlive(pid: number): boolean {
  try {
    const state = /^\d+ \(.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    return state !== undefined && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}
