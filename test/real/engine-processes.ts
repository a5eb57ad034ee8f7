import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { isProcessAlive } from '../support/reachability.ts';

/** An engine that has a record, by the process that leads its session. */
export interface RecordedEngine {
  readonly name: string;
  readonly pid: number;
  readonly model: string;
  /** Where it listens, as its own command line says. */
  readonly url: string;
}

/** Engines under the `process` runtime whose records are in `folder`. */
export function recordedEngines(folder: string): readonly RecordedEngine[] {
  const directory = join(folder, '.berth/run');
  return readdirSync(directory)
    .filter((name) => name.endsWith('.started'))
    .map((name) => {
      const pid = Number(readFileSync(join(directory, name), 'utf8').split('\n')[0]);
      const words = commandOf(pid);
      const after = (flag: string): string => words[words.indexOf(flag) + 1] ?? '';
      return { name, pid, model: after('--served-model-name'), url: `http://127.0.0.1:${after('--port')}` };
    });
}

/** Processes of a session that run. */
export function sessionOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((member) => Number.isInteger(member) && isProcessAlive(member))
    .filter((member) => statFields(member)[3] === String(pid));
}

/** The process of an engine that calls itself so, such as `VLLM::EngineCore`. */
export function processOf(engine: RecordedEngine, title: string): Promise<number> {
  return eventually(title, () => sessionOf(engine.pid).find((pid) => commandOf(pid)[0]?.startsWith(title)));
}

/** Its gauge of running requests. */
export async function runningRequests(engine: RecordedEngine): Promise<number> {
  const text = await (await fetch(`${engine.url}/metrics`)).text();
  return Number(/^vllm:num_requests_running\{.*\} (\S+)$/mu.exec(text)?.[1]);
}

function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it ended meanwhile
  }
}

/** What follows the name in `/proc/PID/stat`; the session is the fourth (proc(5)). */
function statFields(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return []; // it ended meanwhile
  }
}
