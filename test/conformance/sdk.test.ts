import { afterAll, beforeAll, describe } from 'vitest';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';
import { describeConformance } from './sdk/suite.ts';

const CHAT_ARGUMENTS = ['--max-model-len', 8192, '--enable-auto-tool-choice', '--tool-call-parser', 'hermes'];

let berth: BerthUnderTest;

/** Every model has a card of its own, so that none stops another. */
beforeAll(async () => {
  berth = await startBerth({
    gpus: Array.from({ length: 5 }, () => ({ memoryTotalMiB: 24_576 })),
    models: {
      'org/chat': { source: 'sim/chat', aliases: ['gpt-4o-mini'], args: CHAT_ARGUMENTS, env: { VLLM_ENABLE_RESPONSES_API_STORE: '1' } },
      'org/embedder': { source: 'sim/embed' },
      'org/reranker': { source: 'sim/rerank' },
      'org/classifier': { source: 'sim/classify' },
      'org/whisper': { source: 'sim/whisper' },
    },
  });
});

afterAll(() => berth?.[Symbol.asyncDispose]());

describe('in front of the simulated engine', () => {
  describeConformance({
    baseUrl: () => berth.urls[0] ?? '',
    models: {
      chat: 'org/chat',
      chatAlias: 'gpt-4o-mini',
      embedding: 'org/embedder',
      reranker: 'org/reranker',
      classifier: 'org/classifier',
      audio: 'org/whisper',
    },
    capabilities: { choosesTools: true, answersWhileItGenerates: true },
  });
});
