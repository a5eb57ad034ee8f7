import { parseArgs } from 'node:util';
import { readEdgeSettings, startEdge } from '@berth/edge';
import { createLogger } from '@berth/telemetry';
import type { CommandContext } from './command.ts';
import { runService } from './run-service.ts';

/** `berth edge`: one edge replica, until a signal. */
export async function edge({ args, env, print }: CommandContext): Promise<number> {
  parseArgs({ args: [...args], options: {} });
  const settings = readEdgeSettings(env);
  const logger = createLogger({ service: 'edge', level: settings.logLevel, secrets: settings.secrets });
  return runService({ start: async () => startEdge(settings, logger), print });
}
