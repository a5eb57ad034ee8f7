/** One line of an engine's log, taken apart. */
export interface LogLine {
  /** `APIServer`, `EngineCore`, `Worker_TP0`, …; `null` where the line does not say. */
  readonly process: string | null;
  /** `null` for tracebacks, progress bars and warnings of libraries. */
  readonly level: string | null;
  /** The message, its indentation kept. */
  readonly text: string;
}

const COLOURS = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, 'gu');
const PROCESS = /^\((?<process>[A-Za-z]\w*)(?:-\d+)?(?: [^)]*)?\) ?/u;
const RECORD = /^(?<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\] ?)?/u;
const UVICORN = /^(?<level>DEBUG|INFO|WARNING|ERROR|CRITICAL): {2,}/u;

/**
 * Takes log lines apart: `(EngineCore pid=7) INFO 11-23 16:39:01 [core.py:133] text`, each part optional, and uvicorn's
 * `INFO:     text` (vLLM 0.32.0, recorded). Colours are dropped, and a progress bar that redraws itself with carriage returns
 * becomes several lines.
 */
export function parseLogLines(lines: readonly string[]): LogLine[] {
  return lines.flatMap((line) => line.replaceAll(COLOURS, '').split('\r')).map(parseLogLine);
}

function parseLogLine(line: string): LogLine {
  const process = PROCESS.exec(line);
  const rest = line.slice(process?.[0].length ?? 0);
  const record = RECORD.exec(rest) ?? UVICORN.exec(rest);
  return {
    process: process?.groups?.['process'] ?? null,
    level: record?.groups?.['level'] ?? null,
    text: rest.slice(record?.[0].length ?? 0).trimEnd(),
  };
}
