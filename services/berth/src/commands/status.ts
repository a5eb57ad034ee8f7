import { parseArgs } from 'node:util';
import { createAdminClient } from '../admin/admin-client.ts';
import { readCommandSettings, urlOf } from '../environment.ts';
import { formatState } from '../terminal/format-state.ts';
import type { CommandContext } from './command.ts';

/** `berth status [--json] [--url URL]`: GPUs, endpoints and placements as the edge sees them now. */
export async function status({ args, env, cwd, print }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean' }, url: { type: 'string' } } });
  const settings = readCommandSettings(env, cwd);
  const state = await createAdminClient({ url: values.url ?? urlOf(settings), adminKey: settings.adminKey }).readState();
  print(values.json === true ? JSON.stringify(state, null, 2) : formatState(state));
  return 0;
}
