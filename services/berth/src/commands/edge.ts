import { parseArgs } from 'node:util';
import { readEdgeSettings, startEdge } from '@berth/edge';
import type { CommandContext } from './command.ts';
import { runService } from './run-service.ts';

/** `berth edge`: one edge replica, until a signal. */
export async function edge({ args, env, print }: CommandContext): Promise<number> {
  parseArgs({ args: [...args], options: {} });
  return runService({ start: async () => startEdge(readEdgeSettings(env)), print });
}
