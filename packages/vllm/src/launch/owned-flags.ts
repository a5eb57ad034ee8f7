import { OperationalError } from '@berth/core';
import { listFlags } from './flag-arguments.ts';

/** A flag that the catalog's `args` may not carry, and what to do instead. */
export interface OwnedFlag {
  readonly flag: string;
  readonly remedy: string;
}

const OWNED: ReadonlyMap<string, string> = new Map([
  ['model', 'Write the model into `source`.'],
  ['served-model-name', 'Write further names into `aliases`.'],
  ['host', 'Leave it out: Berth decides where the engine listens.'],
  ['port', 'Leave it out, or write it into `port`.'],
  ['uds', 'Leave it out: Berth reaches engines over TCP.'],
  ['root-path', "Leave it out: Berth asks for the engine's own paths."],
  ['api-key', 'Leave it out, and set `keys` in berth.yaml: clients never reach the engine itself.'],
  ['ssl-keyfile', 'Leave it out: Berth speaks plain HTTP to engines on their private network.'],
  ['ssl-certfile', 'Leave it out: Berth speaks plain HTTP to engines on their private network.'],
  ['headless', 'Leave it out: such an engine answers no requests.'],
  ['disable-log-stats', 'Leave it out: it takes away the count of running requests, without which a busy engine looks idle.'],
]);

/** The flags in the catalog's `args` of a vLLM model that only Berth may set; empty when all is well. */
export function findOwnedFlags(args: readonly string[]): OwnedFlag[] {
  return listFlags(args).flatMap(({ name }) => {
    const remedy = OWNED.get(name);
    return remedy === undefined ? [] : [{ flag: `--${name}`, remedy }];
  });
}

/** Throws `INVALID_CATALOG` with every owned flag and its remedy. */
export function refuseOwnedFlags(args: readonly string[]): void {
  const owned = findOwnedFlags(args);
  if (owned.length === 0) return;
  throw new OperationalError({
    code: 'INVALID_CATALOG',
    message: `These flags in \`args\` are Berth's to set: ${owned.map(({ flag, remedy }) => `${flag}: ${remedy}`).join(' ')}`,
    retryable: false,
    details: { flags: owned.map(({ flag }) => flag) },
  });
}
