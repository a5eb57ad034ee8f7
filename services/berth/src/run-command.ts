import { isOperationalError } from '@berth/core';
import { check } from './commands/check.ts';
import type { Command, CommandContext } from './commands/command.ts';
import { edge } from './commands/edge.ts';
import { usage } from './commands/help.ts';
import { orchestrator } from './commands/orchestrator.ts';
import { status } from './commands/status.ts';
import { stop } from './commands/stop.ts';
import { up } from './commands/up.ts';

const commands: Readonly<Record<string, Command>> = { up, edge, orchestrator, status, stop, check };

const helpWords = new Set(['--help', '-h', 'help']);

/** Runs one command line and returns its exit code: 0 success, 1 an expected failure (printed), 2 a command line that makes no sense. */
export async function runCommand({ args, ...context }: CommandContext): Promise<number> {
  const [name = '', ...rest] = args;
  if (args.some((word, index) => helpWords.has(word) && (index === 0 || word.startsWith('-')))) {
    context.print(usage);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    context.complain(
      name === '' ? usage : `berth: there is no command "${name}". Say one of ${Object.keys(commands).join(', ')}, or --help`,
    );
    return 2;
  }
  try {
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
