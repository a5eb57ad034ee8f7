import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { AdminState } from '@berth/contracts';
import { createAdminClient } from '../admin/admin-client.ts';
import { readCommandSettings, urlOf } from '../environment.ts';
import type { CommandContext } from './command.ts';

const pollMs = 250;

/**
 * `berth stop MODEL | --all [--force] [--url URL]`: stops endpoints and returns when they are gone. Without `--force` requests in flight end first,
 * however long they take; Ctrl-C then only ends the waiting.
 */
export async function stop({ args, env, cwd, print, complain }: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { all: { type: 'boolean' }, force: { type: 'boolean' }, url: { type: 'string' } },
  });
  const [asked] = positionals;
  if ((asked === undefined) !== (values.all === true) || positionals.length > 1) {
    complain('berth stop: name one model, or say --all. See berth --help');
    return 2;
  }
  const settings = readCommandSettings(env, cwd);
  const edge = createAdminClient({ url: values.url ?? urlOf(settings), adminKey: settings.adminKey });
  const before = targetsOf(await edge.readState(), asked);
  await edge.stop(asked ?? null, { force: values.force === true });
  if (before.length === 0) {
    print(asked === undefined ? 'nothing is running' : `${asked} is not running`);
    return 0;
  }
  for (const { model, inFlight } of before) print(`stopping ${model}${inFlight > 0 ? ` (${inFlight} in flight)` : ''} …`);
  const generations = new Set(before.map(({ generation }) => generation));
  while ((await edge.readState()).endpoints.some(({ generation }) => generations.has(generation))) await sleep(pollMs);
  print('stopped');
  return 0;
}

function targetsOf({ endpoints, models }: AdminState, asked: string | undefined): AdminState['endpoints'] {
  if (asked === undefined) return endpoints;
  const name = models.find(({ name: own, aliases }) => own === asked || aliases.includes(asked))?.name;
  return endpoints.filter(({ model }) => model === name);
}
