import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

/** An edge that the official SDKs are run against, and what stands behind it. */
export interface Target {
  /** Without a slash at its end; known once it has started. */
  readonly baseUrl: () => string;
  readonly models: {
    readonly chat: string;
    /** Another name of the same model. */
    readonly chatAlias: string;
    /** `null`: the target has no such model. */
    readonly embedding: string | null;
    readonly reranker: string | null;
    readonly classifier: string | null;
    readonly audio: string | null;
  };
  readonly capabilities: {
    /** The model calls a tool that it may call, and answers in words when it got the result. A model of random weights does not. */
    readonly choosesTools: boolean;
    /**
     * It answers other requests while it generates. vLLM 0.32.0 on two cores may answer nothing until a tiny model has come to its end (about
     * one background response in eight, once a structured output was asked for; measured without Berth too).
     */
    readonly answersWhileItGenerates: boolean;
  };
}

/** A cold start of a real engine takes minutes. */
const TIMEOUT_MS = 10 * 60_000;

export function openAiOf(target: Pick<Target, 'baseUrl'>, more: Partial<ConstructorParameters<typeof OpenAI>[0]> = {}): OpenAI {
  return new OpenAI({ baseURL: `${target.baseUrl()}/v1`, apiKey: 'any', maxRetries: 0, timeout: TIMEOUT_MS, ...more });
}

export function anthropicOf(target: Pick<Target, 'baseUrl'>, more: Partial<ConstructorParameters<typeof Anthropic>[0]> = {}): Anthropic {
  return new Anthropic({ baseURL: target.baseUrl(), apiKey: 'any', maxRetries: 0, timeout: TIMEOUT_MS, ...more });
}

/** Vercel's provider for any OpenAI-compatible server. */
export function vercelCompatibleOf(
  target: Pick<Target, 'baseUrl'>,
  more: { readonly fetch?: typeof fetch; readonly apiKey?: string } = {},
) {
  return createOpenAICompatible({
    name: 'berth',
    baseURL: `${target.baseUrl()}/v1`,
    apiKey: 'any',
    includeUsage: true,
    supportsStructuredOutputs: true,
    ...more,
  });
}

/** Vercel's provider for OpenAI, pointed at Berth. */
export function vercelOpenAiOf(target: Pick<Target, 'baseUrl'>, more: { readonly fetch?: typeof fetch; readonly apiKey?: string } = {}) {
  return createOpenAI({ baseURL: `${target.baseUrl()}/v1`, apiKey: 'any', ...more });
}

export async function postJson(target: Pick<Target, 'baseUrl'>, path: string, body: object): Promise<{ status: number; json: unknown }> {
  const response = await fetch(target.baseUrl() + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: await response.json() };
}
