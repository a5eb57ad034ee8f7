import { isOperationalError } from '@berth/core';
import type { Command, CommandContext } from './commands/command.ts';
import { usage } from './commands/help.ts';

/** Loaded when they are run: `status` has no use for what an orchestrator needs. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./commands/up.ts')).up,
  edge: async () => (await import('./commands/edge.ts')).edge,
  orchestrator: async () => (await import('./commands/orchestrator.ts')).orchestrator,
  status: async () => (await import('./commands/status.ts')).status,
  stop: async () => (await import('./commands/stop.ts')).stop,
  check: async () => (await import('./commands/check.ts')).check,
};

const helpWords = new Set(['--help', '-h', 'help']);

/** Runs one command line and returns its exit code: 0 success, 1 an expected failure (printed), 2 a command line that makes no sense. */
export async function runCommand({ args, ...context }: CommandContext): Promise<number> {
  const [name = '', ...rest] = args;
  if (args.some((word, index) => helpWords.has(word) && (index === 0 || word.startsWith('-')))) {
    context.print(usage);
    return 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) {
    context.complain(
      name === '' ? usage : `berth: there is no command "${name}". Say one of ${Object.keys(commands).join(', ')}, or --help`,
    );
    return 2;
  }
  try {
    const command = await load();
    return await command({ ...context, args: rest });
  } catch (error) {
    if (isOperationalError(error)) {
      context.complain(`berth: ${error.message}`);
      return 1;
    }
    if (isArgumentError(error)) {
      context.complain(`berth ${name}: ${error.message}. See berth --help`);
      return 2;
    }
    throw error;
  }
}

/** What node:util's parseArgs throws for an option that does not exist. */
function isArgumentError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_PARSE_ARGS');
}
