import type { CommandResult } from '@berth/core';

/**
 * A shell script that runs a program once per command line, one after the other, whatever each returns. `marker` must be text that the
 * program never writes: a line with it and the exit code ends each part of stdout, a line with it each part of stderr.
 */
export function joinCommands(program: string, commandLines: readonly (readonly string[])[], marker: string): string {
  return commandLines
    .map((args) => [program, ...args].map(quote).join(' '))
    .map((command) => `${command}; printf '\\n${marker} %s\\n' $?; printf '\\n${marker}\\n' >&2`)
    .join('\n');
}

/** Takes the output of such a script apart; `null` when it does not hold all `count` parts. */
export function splitResults(joined: CommandResult, count: number, marker: string): readonly CommandResult[] | null {
  const errors = joined.stderr.split(`\n${marker}\n`);
  const results: CommandResult[] = [];
  let rest = joined.stdout;
  for (let index = 0; index < count; index += 1) {
    const end = rest.indexOf(`\n${marker} `);
    const match = /^\n\S+ (\d+)\n/.exec(rest.slice(Math.max(0, end)));
    if (end === -1 || match === null) return null;
    results.push({ exitCode: Number(match[1]), stdout: rest.slice(0, end), stderr: errors[index] ?? '' });
    rest = rest.slice(end + match[0].length);
  }
  return results;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
