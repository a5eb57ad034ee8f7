/** What a command gets from the process that runs it. */
export interface CommandContext {
  /** After the command's own name. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** A line on standard output. */
  readonly print: (line: string) => void;
  /** A line on standard error. */
  readonly complain: (line: string) => void;
}

/** Returns the exit code. Expected failures may be thrown: they are printed, with exit code 1. */
export type Command = (context: CommandContext) => Promise<number>;
