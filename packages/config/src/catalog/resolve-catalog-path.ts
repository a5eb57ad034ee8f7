import { resolve } from 'node:path';

/** Absolute path of the catalog: `BERTH_CONFIG` if it is set, else `berth.yaml` in the working folder. Does not look whether it exists. */
export function resolveCatalogPath({ BERTH_CONFIG, cwd }: { readonly BERTH_CONFIG?: string | undefined; readonly cwd: string }): string {
  return resolve(cwd, BERTH_CONFIG === undefined || BERTH_CONFIG.trim() === '' ? 'berth.yaml' : BERTH_CONFIG);
}
