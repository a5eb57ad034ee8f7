import { describe, expect, it } from 'vitest';
import { abilitiesOf, versionOfImage } from './flags-by-version.ts';

describe('versionOfImage', () => {
  it.each([
    ['vllm/vllm-openai:v0.30.0', [0, 30, 0]],
    ['vllm/vllm-openai:v0.30.0-cu130', [0, 30, 0]],
    ['vllm/vllm-openai-cpu:v0.32.0-x86_64', [0, 32, 0]],
    ['localhost:5000/mirror/vllm-openai:0.14.1rc2', [0, 14, 1]],
    ['vllm:0.11', [0, 11, 0]],
    ['vllm/vllm-openai:v0.30.0@sha256:0123', [0, 30, 0]],
    ['vllm/vllm-openai:latest', null],
    ['vllm/vllm-openai@sha256:0123', null],
    ['vllm/vllm-openai', null],
    ['example/chat:2.1.0', null],
  ])('reads %s as %j', (image, version) => {
    expect(versionOfImage(image)).toEqual(version);
  });
});

describe('abilitiesOf', () => {
  it.each([
    [[0, 10, 2], { pinsKvCache: false, fitsContext: false }],
    [[0, 11, 0], { pinsKvCache: true, fitsContext: false }],
    [[0, 14, 0], { pinsKvCache: true, fitsContext: true }],
    [[0, 32, 0], { pinsKvCache: true, fitsContext: true }],
    [[1, 0, 0], { pinsKvCache: true, fitsContext: true }],
    [null, { pinsKvCache: true, fitsContext: true }],
  ] as const)('knows what %j can do', (version, abilities) => {
    expect(abilitiesOf(version)).toEqual(abilities);
  });
});
