import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { formatProblems, loadCatalog } from '@berth/config';
import type { Catalog } from '@berth/config';
import { isOperationalError } from '@berth/core';
import { readCommandSettings } from '../environment.ts';
import type { CommandContext } from './command.ts';

/** `berth check [FILE]`: lists every problem of a catalog. Exit code 1 if there is one; warnings are none. */
export async function check({ args, env, cwd, print, complain }: CommandContext): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} });
  const settings = readCommandSettings(env, cwd);
  const path = positionals[0] === undefined ? settings.catalogPath : resolve(cwd, positionals[0]);
  try {
    const catalog = loadCatalog({ path, home: settings.home });
    if (catalog.warnings.length > 0) complain(formatProblems(path, catalog.warnings));
    print(
      `${path} is valid: ${counted(catalog.models.length, 'model')} (${catalog.models.map(({ name }) => name).join(', ')}), ${keysOf(catalog)}`,
    );
    return 0;
  } catch (error) {
    if (!isOperationalError(error, 'INVALID_CATALOG')) throw error;
    complain(error.message);
    return 1;
  }
}

function keysOf({ keys, adminKeys }: Catalog): string {
  if (keys.length + adminKeys.length === 0) return 'no keys: the API is open';
  return `${counted(keys.length, 'key')}, ${counted(adminKeys.length, 'admin key')}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
