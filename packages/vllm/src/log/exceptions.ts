import { parseLogLines } from './log-line.ts';
import type { LogLine } from './log-line.ts';

/** An exception as a log shows it. */
export interface LoggedException {
  /** Without its module, e.g. `OutOfMemoryError`. */
  readonly type: string;
  /** Its first line, as printed. */
  readonly line: string;
  /** All its lines, the type in front. */
  readonly text: string;
}

const HEADLINE = /^(?:[A-Za-z_]\w*\.)*(?<type>[A-Z]\w*(?:Error|Exception|Exit|Interrupt)|Exception)(?::|$)/u;
const NOT_A_CONTINUATION = /^(?:Traceback \(|During handling of|The above exception|Process \w|\[rank\d|\s+File ")/u;
const MOST_LINES = 8;

/**
 * Exceptions that only follow from another: the wrappers in which vLLM's processes tell each other of a failure, and what the
 * other ranks of a group run into when one is gone (vLLM 0.8 to 0.32, PyTorch 2).
 */
const CONSEQUENCES: readonly RegExp[] = [
  /Engine core initialization failed/u,
  /WorkerProc initialization failed due to an exception in a background process/u,
  /[Ss]ee (?:the )?stack trace .*root cause/u,
  /EngineDeadError|EngineCore encountered an issue/u,
  /^\S*(?:SystemExit|KeyboardInterrupt|CancelledError|BrokenPipeError|ConnectionResetError|ConnectionRefusedError|EOFError)\b/u,
  /DistBackendError|DistNetworkError|DistStoreError|ncclRemoteError|NCCL communicator was aborted/u,
  /Connection closed by peer|Executor failed|RuntimeError: cancelled/u,
];

/**
 * Every exception of a log, in order. An exception is told by its form, a dotted name that ends like an exception's at the
 * beginning of a line without a level or of level ERROR; the mere word "error" tells nothing, since a clean start prints it too.
 */
export function listExceptions(lines: readonly string[]): LoggedException[] {
  const parsed = parseLogLines(lines);
  return parsed.flatMap((line, at) => {
    const type = exceptionType(line);
    if (type === null) return [];
    const text = [line.text, ...continuation(parsed, at)].join('\n').trimEnd();
    return [{ type, line: line.text, text }];
  });
}

/**
 * The root cause: the last exception that is not merely a consequence of another; the last one of all if there is no such;
 * `null` without any. vLLM prints the cause 40 to 100 lines above its last one, so give at least 250 lines.
 */
export function findRootCause(exceptions: readonly LoggedException[]): LoggedException | null {
  return exceptions.findLast(({ text }) => !CONSEQUENCES.some((pattern) => pattern.test(text))) ?? exceptions.at(-1) ?? null;
}

function exceptionType({ level, text }: LogLine): string | null {
  if (level !== null && level !== 'ERROR' && level !== 'CRITICAL') return null;
  return HEADLINE.exec(text)?.groups?.['type'] ?? null;
}

function continuation(lines: readonly LogLine[], headlineAt: number): string[] {
  const headline = lines[headlineAt];
  const following = lines.slice(headlineAt + 1, headlineAt + MOST_LINES);
  const end = following.findIndex(
    (line) =>
      line.process !== headline?.process ||
      line.level !== headline.level ||
      exceptionType(line) !== null ||
      NOT_A_CONTINUATION.test(line.text),
  );
  return (end === -1 ? following : following.slice(0, end)).map(({ text }) => text);
}
