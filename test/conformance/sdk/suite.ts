import { describeAnthropicMessages } from './anthropic-messages.ts';
import { describeOpenAiChat } from './openai-chat.ts';
import { describeOpenAiCompletions } from './openai-completions.ts';
import { describeOpenAiOthers } from './openai-others.ts';
import { describeOpenAiResponses } from './openai-responses.ts';
import { describePlainRoutes } from './plain-routes.ts';
import { describeRefusals } from './refusals.ts';
import type { Target } from './target.ts';
import { describeVercel } from './vercel.ts';

/**
 * Every route that the official SDKs cover, by those SDKs, whole and streamed, and the rest by plain requests. It runs in front of the simulated engine with
 * every `npm test`, and in front of a real vLLM with `npm run test:vllm`; the first request meets a cold model.
 */
export function describeConformance(target: Target): void {
  describeOpenAiChat(target);
  describeOpenAiCompletions(target);
  describeOpenAiResponses(target);
  describeOpenAiOthers(target);
  describeAnthropicMessages(target);
  describeVercel(target);
  describePlainRoutes(target);
  describeRefusals(target);
}
