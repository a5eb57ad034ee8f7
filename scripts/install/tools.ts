import { findProgram } from '../../services/berth/src/install/run-program.ts';
import { installSystemPackages, stopPackagedService } from '../../services/berth/src/install/system-packages.ts';
import type { PackageNames } from '../../services/berth/src/install/system-packages.ts';

export interface Tool {
  readonly name: string;
  /** Any of these programs will do. */
  readonly programs: readonly string[];
  readonly packages: PackageNames;
  /** A service that Debian's package starts, where only the program is wanted. */
  readonly service?: string;
}

/**
 * Installs the tools that this machine lacks, where that is permitted, and says so first. Returns the names of those that are still missing,
 * after saying the command to type for each.
 */
export async function installTools(
  tools: readonly Tool[],
  options: { readonly env: NodeJS.ProcessEnv; readonly say: (line: string) => void },
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const { name, programs, packages, service } of tools) {
    if (findProgram(programs, options.env) !== null) continue;
    const installation = await installSystemPackages(packages, options);
    if (installation.kind === 'installed') {
      if (service !== undefined) await stopPackagedService(service, options.env);
      continue;
    }
    missing.push(name);
    const why = installation.kind === 'failed' ? `failed: ${installation.output}` : 'is yours to type';
    options.say(`${name} is missing; ${installation.command ?? `installing ${programs.join(' or ')}`} ${why}`);
  }
  return missing;
}
