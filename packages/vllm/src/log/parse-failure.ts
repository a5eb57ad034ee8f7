import type { EngineFailure, FailureCause } from './failure.ts';
import { findRootCause, listExceptions } from './exceptions.ts';
import { LAUNCH_CAUSES } from './launch-causes.ts';
import { parseLoadPhase } from './load-phase.ts';
import { parseLogLines } from './log-line.ts';
import { MEMORY_CAUSES } from './memory-causes.ts';

export interface FailureOptions {
  /** Whether it was ready before; without it the log decides, which forgets after some hours of requests. */
  readonly wasReady?: boolean;
}

const CAUSES = [...MEMORY_CAUSES, ...LAUNCH_CAUSES];
const ARGPARSE = /^[\w. -]+: error: (?<said>.+)$/u;
const LONGEST_ROOT_CAUSE = 1000;

/**
 * Why an engine ended: `ENGINE_OUT_OF_MEMORY` for an allocation that failed, else `ENGINE_EXITED` after ready and
 * `ENGINE_START_FAILED` before. `lines` are its last ones, 250 at least; `exitCode` is `null` where unknown. The exit code alone
 * tells little: vLLM ends with 0 after a crash, too (vLLM 0.32.0, measured).
 */
export function parseFailure(lines: readonly string[], exitCode: number | null, options: FailureOptions = {}): EngineFailure {
  const wasReady = options.wasReady ?? parseLoadPhase(lines).phase === 'listening';
  const exceptions = listExceptions(lines);
  const root = findRootCause(exceptions);
  const allText = exceptions.map(({ text }) => text).join('\n');
  const refused = refusedArguments(lines, exitCode);
  const cause =
    refused?.cause ?? (root === null ? null : readCause(root.text, allText)) ?? unknownCause(root?.line ?? null, exitCode, wasReady);
  const isOutOfMemory = cause.kind === 'out-of-memory' || cause.kind === 'out-of-memory-at-wake';
  return {
    code: isOutOfMemory ? 'ENGINE_OUT_OF_MEMORY' : wasReady ? 'ENGINE_EXITED' : 'ENGINE_START_FAILED',
    ...cause,
    rootCause: (refused?.line ?? root?.line)?.slice(0, LONGEST_ROOT_CAUSE) ?? null,
  };
}

function readCause(text: string, allText: string): FailureCause | null {
  for (const read of CAUSES) {
    const cause = read(text, allText);
    if (cause !== null) return cause;
  }
  return null;
}

/** argparse prints one line and ends with 2, without an exception. */
function refusedArguments(lines: readonly string[], exitCode: number | null): { cause: FailureCause; line: string } | null {
  if (exitCode !== 2) return null;
  const line = parseLogLines(lines).findLast(({ text }) => ARGPARSE.test(text))?.text;
  if (line === undefined) return null;
  const said = ARGPARSE.exec(line)?.groups?.['said'] ?? line;
  const message = `The engine does not take its command line: ${said}. Correct \`args\` in the catalog, or use an \`image\` that knows them.`;
  return { cause: { kind: 'bad-arguments', message, remedy: null }, line };
}

function unknownCause(rootCause: string | null, exitCode: number | null, wasReady: boolean): FailureCause {
  const when = wasReady ? 'after it was ready' : 'before it was ready';
  const how = exitCode === null ? `The engine ended ${when}` : `The engine ended ${when} with exit code ${exitCode}`;
  if (rootCause !== null)
    return { kind: 'unknown', message: `${how}: ${rootCause.slice(0, 400).replace(/\.$/u, '')}. Its log tells more.`, remedy: null };
  const signal = signalOf(exitCode);
  if (signal === null) return { kind: 'unknown', message: `${how}, and its log names no cause.`, remedy: null };
  const why = signal === 9 ? ': by hand, or by the kernel because main memory ran out. Look for "oom" in the kernel log of the host.' : '.';
  return { kind: 'stopped-by-signal', message: `${how}: it was ended by signal ${signal}${why}`, remedy: null };
}

/** 128 + n is how shells and container engines tell of signal n. */
function signalOf(exitCode: number | null): number | null {
  return exitCode !== null && exitCode > 128 && exitCode < 128 + 65 ? exitCode - 128 : null;
}
