export { runCommand } from './run-command.ts';
export type { Command, CommandContext } from './commands/command.ts';
