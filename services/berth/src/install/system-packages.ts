import { findProgram, runProgram } from './run-program.ts';

export type PackageManager = 'apt-get' | 'dnf' | 'apk' | 'brew';

/** The system's name of what is wanted, by package manager. A manager that is not named here cannot install it. */
export type PackageNames = Readonly<Partial<Record<PackageManager, readonly string[]>>>;

export type Installation =
  | { readonly kind: 'installed' }
  /** Nothing was changed. `command` is what a person with the right to do so would type; `null`: no package manager knows it. */
  | { readonly kind: 'not-permitted'; readonly command: string | null }
  | { readonly kind: 'failed'; readonly command: string; readonly output: string };

/** Downloads over a slow line take their time; a package manager that waits for another one is given up in the end. */
const timeoutMs = 10 * 60_000;

/**
 * Installs packages with the system's package manager: as root, through sudo without a password, or with brew as the user. Says what it is
 * about to do before it does it. apt-get leaves recommended packages out, so that the machine gets no more than what is needed.
 */
export async function installSystemPackages(
  packages: PackageNames,
  options: { readonly env: NodeJS.ProcessEnv; readonly say: (line: string) => void },
): Promise<Installation> {
  const { env } = options;
  for (const [manager, names] of entriesOf(packages)) {
    if (findProgram([manager], env) === null) continue;
    const steps = commandsOf[manager](names);
    const asText = steps.at(-1)?.join(' ') ?? '';
    const prefix = manager === 'brew' ? [] : await elevation(env);
    if (prefix === null) return { kind: 'not-permitted', command: `sudo ${asText}` };
    options.say(`installing ${names.join(', ')} with ${manager} …`);
    return runSteps(
      steps.map((step) => [...prefix, ...step]),
      env,
    );
  }
  return { kind: 'not-permitted', command: null };
}

/** Debian's packages start a server of their own, on its default port. Ends it where only the program is wanted, and keeps it from coming back. */
export async function stopPackagedService(service: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (process.getuid?.() !== 0 || findProgram(['systemctl'], env) === null) return;
  await runProgram('systemctl', ['disable', '--now', service], { env, timeoutMs: 30_000 });
}

async function runSteps(steps: readonly (readonly string[])[], env: NodeJS.ProcessEnv): Promise<Installation> {
  let last = { exitCode: 0 as number | null, output: '' };
  for (const [program = '', ...args] of steps) {
    last = await runProgram(program, args, { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs });
  }
  // A package list that could not be refreshed matters only if the install itself then fails.
  if (last.exitCode === 0) return { kind: 'installed' };
  return { kind: 'failed', command: steps.at(-1)?.join(' ') ?? '', output: last.output.trim().split('\n').slice(-12).join('\n') };
}

const commandsOf: Readonly<Record<PackageManager, (names: readonly string[]) => readonly (readonly string[])[]>> = {
  'apt-get': (names) => [
    ['apt-get', '-qq', 'update'],
    ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...names],
  ],
  dnf: (names) => [['dnf', 'install', '-y', ...names]],
  apk: (names) => [['apk', 'add', '--no-cache', ...names]],
  brew: (names) => [['brew', 'install', ...names]],
};

/** What stands before a command that needs root: nothing, `sudo -n`, or `null` where it is not permitted. */
async function elevation(env: NodeJS.ProcessEnv): Promise<readonly string[] | null> {
  if (process.getuid?.() === 0) return [];
  if (findProgram(['sudo'], env) === null) return null;
  const { exitCode } = await runProgram('sudo', ['-n', 'true'], { env, timeoutMs: 10_000 });
  return exitCode === 0 ? ['sudo', '-n'] : null;
}

function entriesOf(packages: PackageNames): readonly (readonly [PackageManager, readonly string[]])[] {
  const managers: readonly PackageManager[] = ['apt-get', 'dnf', 'apk', 'brew'];
  return managers.flatMap((manager) => {
    const names = packages[manager];
    return names === undefined ? [] : [[manager, names] as const];
  });
}
