import { randomBytes } from 'node:crypto';
import type { Body, Exchange } from '../http/exchange.ts';
import type { StoredResponse } from '../response-store.ts';
import type { CompleteAnswer } from './answers.ts';
import { property } from './prompts.ts';
import { nowSeconds } from './sampling.ts';
import type { PromptSize } from './sampling.ts';
import type { FunctionCall } from './scripted-answer.ts';
import { callId, callText } from './tool-calls.ts';

/** The response with an answer, or as it stands before there is one. */
export type DescribeResponse = (answer: CompleteAnswer | undefined, item?: ResponseItem) => StoredResponse;

/** One entry of `output`: a message, or a call of a function. */
export interface ResponseItem {
  readonly id: string;
  /** The item with that text, or those arguments, in that state. */
  render(text: string, status: 'in_progress' | 'completed'): object;
  readonly isCall: boolean;
}

/** A call that was cut off is a message that holds its beginning. */
export function responseItem(call: FunctionCall | null): ResponseItem {
  const hex = randomBytes(8).toString('hex');
  if (call === null) {
    const id = `msg_${hex}`;
    const content = (text: string, status: string): object[] => (status === 'completed' ? [outputPart(text)] : []);
    const rest = { role: 'assistant', type: 'message', phase: null };
    return { id, isCall: false, render: (text, status) => ({ id, content: content(text, status), status, ...rest }) };
  }
  const id = `fc_${hex}`;
  const fixed = { call_id: callId(), name: call.name, type: 'function_call', id, async: null, caller: null, namespace: null };
  return { id, isCall: true, render: (text, status) => ({ arguments: text, ...fixed, status }) };
}

export function outputPart(text: string, logprobs: null | [] = null): object {
  return { annotations: [], text, type: 'output_text', logprobs };
}

/** Fields in vLLM's order (0.32.0, recorded). */
export function describeResponse(
  exchange: Exchange,
  { body, prompt, call }: { readonly body: Body; readonly prompt: PromptSize; readonly call: FunctionCall | null },
): DescribeResponse {
  const createdAt = nowSeconds();
  const tools = Array.isArray(body['tools']) ? (body['tools'] as unknown[]) : [];
  return (answer, item) => {
    const cut = answer?.finishReason === 'length';
    return {
      id: `resp_${exchange.requestId}`,
      created_at: createdAt,
      incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
      instructions: body['instructions'] ?? null,
      metadata: body['metadata'] ?? null,
      model: exchange.serving.modelName,
      object: 'response',
      output: answer === undefined ? [] : [outputItem(answer, call, item)],
      parallel_tool_calls: body['parallel_tool_calls'] ?? true,
      temperature: body['temperature'] ?? 1,
      tool_choice: body['tool_choice'] ?? (tools.length === 0 ? 'none' : 'auto'),
      tools,
      top_p: body['top_p'] ?? 1,
      background: body['background'] === true,
      max_output_tokens: body['max_output_tokens'] ?? null,
      max_tool_calls: null,
      previous_response_id: body['previous_response_id'] ?? null,
      prompt: null,
      reasoning: null,
      service_tier: 'auto',
      status: answer === undefined ? 'in_progress' : cut ? 'incomplete' : 'completed',
      text: property(body, 'text') ?? null,
      top_logprobs: null,
      truncation: 'disabled',
      usage: answer === undefined ? null : usageOf(prompt, answer),
      user: null,
    };
  };
}

function outputItem(answer: CompleteAnswer, call: FunctionCall | null, item: ResponseItem | undefined): object {
  const cut = call !== null && answer.finishReason !== 'stop';
  if (item === undefined && cut) return responseItem(null).render(callText(call, answer.text), 'completed');
  return (item ?? responseItem(call)).render(answer.text, 'completed');
}

function usageOf(prompt: PromptSize, answer: CompleteAnswer): object {
  return {
    input_tokens: prompt.tokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0, input_tokens_per_turn: [], cached_tokens_per_turn: [] },
    output_tokens: answer.tokens,
    output_tokens_details: { reasoning_tokens: 0, tool_output_tokens: 0, output_tokens_per_turn: [], tool_output_tokens_per_turn: [] },
    total_tokens: prompt.tokens + answer.tokens,
  };
}
