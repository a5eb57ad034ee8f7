import { writeSync } from 'node:fs';

/** Writes log lines as vLLM's processes do: level, local time, source and a prefix with the process's name and id. */
export interface EngineLog {
  info(source: string, message: string): void;
  warning(source: string, message: string): void;
  error(source: string, message: string): void;
  /** A line without any prefix, as uvicorn's and progress bars are. */
  raw(line: string): void;
  /** A line with the process prefix only, as a traceback that multiprocessing prints. */
  prefixed(line: string): void;
}

/** The log of one process, e.g. `APIServer` or `EngineCore`. Lines are written at once, so a killed process loses none. */
export function createLog(processName: string): EngineLog {
  const prefix = `(${processName} pid=${process.pid}) `;
  const write = (level: string, source: string, message: string): void => {
    for (const line of message.split('\n')) writeLine(`${prefix}${level} ${timestamp(new Date())} [${source}] ${line}`);
  };
  return {
    info: (source, message) => write('INFO', source, message),
    warning: (source, message) => write('WARNING', source, message),
    error: (source, message) => write('ERROR', source, message),
    raw: writeLine,
    prefixed: (line) => writeLine(`${prefix}${line}`),
  };
}

/** `47.84`: how vLLM prints GiB. */
export function gib(mib: number): string {
  return (mib / 1024).toFixed(2);
}

/** `1,505,068`: how vLLM prints token counts. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

function timestamp(date: Date): string {
  return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A reader that went away must not take the engine with it, and a slow one only slows it down. */
function writeLine(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
