import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { joinCommands, splitResults } from './probe-script.ts';

const marker = 'marker-of-this-test';

function runScript(commandLines: readonly (readonly string[])[]) {
  const script = joinCommands('/bin/sh', commandLines, marker);
  const stdout = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return splitResults({ exitCode: 0, stdout, stderr: '' }, commandLines.length, marker);
}

describe('several commands in one script', () => {
  it('runs each, keeps what it wrote to the byte and what it returned', () => {
    expect(
      runScript([
        ['-c', 'printf "a\n\nb"; exit 3'],
        ['-c', 'true'],
        ['-c', 'echo "it\'s $HOME"'],
      ]),
    ).toMatchObject([
      { exitCode: 3, stdout: 'a\n\nb' },
      { exitCode: 0, stdout: '' },
      { exitCode: 0, stdout: `it's ${process.env['HOME'] ?? ''}\n` },
    ]);
  });

  it('hands arguments over as they are', () => {
    const odd = `'; exit 9; "$HOME" \`id\` \\`;
    expect(runScript([['-c', 'printf %s "$1"', 'sh', odd]])).toMatchObject([{ exitCode: 0, stdout: odd }]);
  });

  it('gives each its own stderr', () => {
    const joined = { exitCode: 0, stdout: `\n${marker} 1\n\n${marker} 0\n`, stderr: `bad\n\n${marker}\n\n${marker}\n` };
    expect(splitResults(joined, 2, marker)).toEqual([
      { exitCode: 1, stdout: '', stderr: 'bad\n' },
      { exitCode: 0, stdout: '', stderr: '' },
    ]);
  });

  it('is null when a part is missing', () => {
    expect(splitResults({ exitCode: 137, stdout: `one\n${marker} 0\ntwo`, stderr: '' }, 2, marker)).toBeNull();
  });
});
