#!/usr/bin/env node
// Runs on whatever Node npm runs on (18 or later), so it is plain JavaScript without dependencies. It installs the workspace when that is
// needed and hands over to the Node that the repository pins:
//
//   node scripts/workspace.mjs start|test|test:vllm|bench|berth [arguments]
//   node scripts/workspace.mjs install [arguments of pnpm install]
//
// Exit codes and signals pass through. It neither ends before its child nor leaves it behind.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinnedNode = join(root, 'node_modules', '.bin', 'node');
const stamp = join(root, 'node_modules', '.berth-installed');
const programs = {
  start: ['services/berth/src/main.ts', 'up'],
  test: ['scripts/test.ts'],
  'test:vllm': ['scripts/test-vllm.ts'],
  bench: ['test/bench/request-path.ts'],
  berth: ['services/berth/src/main.ts'],
};

const [command, ...rest] = process.argv.slice(2);
const program = Object.hasOwn(programs, command ?? '') ? programs[command] : undefined;
if (program === undefined && command !== 'install') fail('say one of: start, test, test:vllm, bench, berth, install', 2);
installWhenNeeded(command === 'install' ? rest : []);
if (program !== undefined) handOver([join(root, program[0]), ...program.slice(1), ...rest]);

/** The stamp holds a hash of what decides the contents of node_modules, so an unchanged checkout starts at once, also without a network. */
function installWhenNeeded(extra) {
  const all = hashOfDependencies();
  const wanted = [all, ...extra].join(' ');
  const present = existsSync(pinnedNode) && existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
  if (present === wanted || present === all) return;
  const pnpm = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager;
  say(`installing dependencies with ${pnpm} …`);
  const [npx, first] = npxCommand();
  const args = [...first, '--yes', pnpm, 'install', '--frozen-lockfile', '--reporter', 'append-only', ...extra];
  // CI stops pnpm from asking whether it may replace a node_modules that something else made.
  const env = { ...process.env, CI: 'true', NO_UPDATE_NOTIFIER: '1', npm_config_update_notifier: 'false' };
  const { status, stdout, stderr, error } = spawnSync(npx, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error !== undefined || status !== 0) {
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error === undefined ? '' : `${error.message}\n`}`);
    fail('the dependencies could not be installed (see above). The npm registry must be reachable for the first start', 1);
  }
  if (!existsSync(pinnedNode)) fail(`there is no Node 26 package for ${process.platform}-${process.arch}`, 1);
  writeFileSync(stamp, wanted);
  say('dependencies are installed');
}

function hashOfDependencies() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** The npx of the npm that runs this script, or else the one on the path. */
function npxCommand() {
  const beside = process.env.npm_execpath === undefined ? '' : join(dirname(process.env.npm_execpath), 'npx-cli.js');
  return existsSync(beside) ? [process.execPath, [beside]] : ['npx', []];
}

/**
 * A terminal signals the whole process group, and npm forwards what it gets as well, so the child may get one Ctrl-C several times; it counts
 * those that come close together as one. The IPC channel tells the child when this process is killed.
 */
function handOver(args) {
  const child = spawn(pinnedNode, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH ?? ''}` },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // npm killed with SIGKILL cannot forward anything; this process is then given to another parent.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.env.npm_lifecycle_event === undefined || process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGHUP');
  }, 1000);
  child.on('error', (error) => fail(`${pinnedNode} could not be started: ${error.message}. Remove node_modules and try again`, 1));
  child.on('exit', (code, signal) => {
    clearInterval(watch);
    process.exit(code ?? 128 + constants.signals[signal]);
  });
}

function say(text) {
  process.stdout.write(`berth: ${text}\n`);
}

function fail(text, code) {
  process.stderr.write(`berth: ${text}\n`);
  process.exit(code);
}
