import type { Handler } from '../http/exchange.ts';
import type { Route } from '../http/server.ts';
import type { ModelTask } from '../model-profile.ts';
import { transcription, translation } from './audio.ts';
import { detokenize, health, load, metrics, models, tokenize, version } from './basics.ts';
import { chatCompletions } from './chat.ts';
import { completions } from './completions.ts';
import { isSleeping, sleep, wakeUp } from './dev-mode.ts';
import { countMessageTokens, messages } from './messages.ts';
import { classify, embeddings, pooling, rerank, score } from './pooling.ts';
import { cancelResponse, responses, retrieveResponse } from './responses.ts';

/** The routes of an engine: registered by task, so that a model without a task has no route for it at all. */
export function engineRoutes(task: ModelTask, devMode: boolean): Route[] {
  return [...common, ...byTask[task], ...(devMode ? development : [])];
}

const common: Route[] = [
  ...gets(['/load', load], ['/version', version], ['/health', health], ['/metrics', metrics], ['/v1/models', models], ['/ping', health]),
  ...posts(['/ping', health], ['/tokenize', tokenize], ['/detokenize', detokenize]),
];

const scoring: Route[] = posts(
  ['/score', score],
  ['/v1/score', score],
  ['/rerank', rerank],
  ['/v1/rerank', rerank],
  ['/v2/rerank', rerank],
);

const byTask: Record<ModelTask, Route[]> = {
  generate: [
    ...posts(
      ['/v1/chat/completions', chatCompletions],
      ['/v1/completions', completions],
      ['/v1/responses', responses],
      ['/v1/responses/{response_id}/cancel', cancelResponse],
      ['/v1/messages', messages],
      ['/v1/messages/count_tokens', countMessageTokens],
      ['/invocations', chatCompletions],
    ),
    ...gets(['/v1/responses/{response_id}', retrieveResponse]),
  ],
  embed: [...posts(['/v1/embeddings', embeddings], ['/pooling', pooling], ['/invocations', embeddings]), ...scoring],
  score: [...scoring, ...posts(['/pooling', pooling])],
  classify: posts(['/classify', classify], ['/pooling', pooling]),
  transcription: posts(['/v1/audio/transcriptions', transcription], ['/v1/audio/translations', translation]),
};

/** Only with `VLLM_SERVER_DEV_MODE=1`. */
const development: Route[] = [...posts(['/sleep', sleep], ['/wake_up', wakeUp]), ...gets(['/is_sleeping', isSleeping])];

function gets(...entries: [string, Handler][]): Route[] {
  return entries.map(([path, handler]) => ({ method: 'GET', path, handler }));
}

function posts(...entries: [string, Handler][]): Route[] {
  return entries.map(([path, handler]) => ({ method: 'POST', path, handler }));
}
