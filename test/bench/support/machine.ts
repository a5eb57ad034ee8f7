import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { print } from './distribution.ts';

/** Prints what figures mean nothing without: the machine, its load before the run, Node, and the command. */
export function printMachine(title: string): void {
  const [minuteLoad = 0] = loadavg();
  print(`# ${title}\n`);
  print(`- command: node ${process.argv.slice(1).map(shortened).join(' ')}`);
  print(`- machine: ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB`);
  print(`- system: ${process.platform} ${release()}, Node ${process.version}, ${new Date().toISOString()}`);
  print(`- load before the run: ${minuteLoad.toFixed(1)} over the last minute\n`);
}

function shortened(argument: string): string {
  const at = argument.indexOf('test/bench/');
  return at === -1 ? argument : argument.slice(at);
}

/** Epoch ms with its fraction, on the clock that Docker and Redis of this machine stamp with. */
export function wallNowMs(): number {
  return performance.timeOrigin + performance.now();
}
