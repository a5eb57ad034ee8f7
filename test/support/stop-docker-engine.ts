import { stopUnusedDockerEngine } from './docker-engine.ts';

/** Vitest's global setup: the engine starts when the first test needs it and ends with the run. */
export function setup(): () => Promise<void> {
  return () => stopUnusedDockerEngine(process.pid);
}
