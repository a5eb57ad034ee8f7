import { runCommand } from './run-command.ts';

process.exitCode = await runCommand({
  args: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  print: (line) => console.log(line),
  complain: (line) => console.error(line),
});
// Everything that was opened is closed by now; what a library still holds must not keep the process.
if (process.connected) process.disconnect?.();
