import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

/** What the fake engine does; everything else about it is an HTTP server that says 200 on every path. */
export interface FakeEngine {
  /** Until it listens. */
  readonly startMs: number;
  /** Ends by itself with this code, `null` never. */
  readonly exitCode: number | null;
  readonly exitAfterMs: number;
  readonly onSigterm: 'exit' | 'ignore';
  /** Lines it writes at start, alternately to stdout and stderr. */
  readonly lines: number;
  /** Starts a child in the same session that does nothing and ignores SIGTERM. */
  readonly child: boolean;
}

const PLAIN: FakeEngine = { startMs: 0, exitCode: null, exitAfterMs: 0, onSigterm: 'exit', lines: 0, child: false };

/** Command line of a fake engine; `{port}` is for the runtime to fill in. */
export function fakeEngineArguments(wish: Partial<FakeEngine> = {}): readonly string[] {
  return ['--port', '{port}', '--behaviour', JSON.stringify({ ...PLAIN, ...wish })];
}

/** What a fake engine's command line asks for. */
export function parseFakeEngineArguments(args: readonly string[]): FakeEngine & { readonly port: number } {
  const { values } = parseArgs({ args: [...args], options: { port: { type: 'string' }, behaviour: { type: 'string' } } });
  return { ...PLAIN, ...(JSON.parse(values.behaviour ?? '{}') as Partial<FakeEngine>), port: Number(values.port) };
}

/** The lines of its log, in order. */
export const FAKE_ENGINE_LINES = {
  line: (number: number) => `line ${number} of the fake engine`,
  marker: (value: string | undefined) => `marker ${value ?? 'absent'}`,
  listening: (port: number) => `listening on ${port}`,
  terminated: 'SIGTERM received',
};

function main(): void {
  const engine = parseFakeEngineArguments(process.argv.slice(2));
  process.on('SIGTERM', () => {
    process.stdout.write(`${FAKE_ENGINE_LINES.terminated}\n`);
    if (engine.onSigterm === 'exit') process.exit(0);
  });
  for (let number = 1; number <= engine.lines; number += 1) {
    (number % 2 === 1 ? process.stdout : process.stderr).write(`${FAKE_ENGINE_LINES.line(number)}\n`);
  }
  process.stdout.write(`${FAKE_ENGINE_LINES.marker(process.env['FAKE_ENGINE_MARKER'])}\n`);
  if (engine.child) spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  const { exitCode } = engine;
  if (exitCode !== null) setTimeout(() => process.exit(exitCode), engine.exitAfterMs);
  setTimeout(() => {
    createServer((_request, response) => response.end('ok')).listen(engine.port, () => {
      process.stdout.write(`${FAKE_ENGINE_LINES.listening(engine.port)}\n`);
    });
  }, engine.startMs);
}

if (import.meta.main) main();
