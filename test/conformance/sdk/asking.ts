import { generateText, streamText, type LanguageModel } from 'ai';
import { anthropicOf, openAiOf, vercelCompatibleOf, vercelOpenAiOf, type Target } from './target.ts';

export interface Ask {
  readonly model: string;
  readonly text: string;
  readonly fetch?: typeof fetch;
  readonly maxRetries?: number;
  /** As a user gives it to the SDK; by default any text. */
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxTokens?: number;
}

/** One way in which an SDK asks for a text. Both reject with the SDK's own error, and resolve with the text. */
export interface Asking {
  readonly sdk: 'openai' | '@anthropic-ai/sdk' | 'ai';
  readonly what: string;
  readonly whole: (target: Pick<Target, 'baseUrl'>, ask: Ask) => Promise<string>;
  readonly streamed: (target: Pick<Target, 'baseUrl'>, ask: Ask) => Promise<string>;
}

/** Every SDK with each of its ways to ask for a text. */
export const ASKINGS: readonly Asking[] = [
  {
    sdk: 'openai',
    what: 'chat completions',
    whole: async (target, ask) => {
      const completion = await openAi(target, ask).chat.completions.create({ ...chatOf(ask), max_tokens: maxTokens(ask) });
      return completion.choices[0]?.message.content ?? '';
    },
    streamed: async (target, ask) => {
      const stream = await openAi(target, ask).chat.completions.create({ ...chatOf(ask), max_tokens: maxTokens(ask), stream: true });
      return (await Array.fromAsync(stream)).map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    },
  },
  {
    sdk: 'openai',
    what: 'completions',
    whole: async (target, ask) => {
      const body = { model: ask.model, prompt: ask.text, max_tokens: maxTokens(ask) };
      return (await openAi(target, ask).completions.create(body)).choices[0]?.text ?? '';
    },
    streamed: async (target, ask) => {
      const body = { model: ask.model, prompt: ask.text, max_tokens: maxTokens(ask), stream: true as const };
      const stream = await openAi(target, ask).completions.create(body);
      return (await Array.fromAsync(stream)).map((chunk) => chunk.choices[0]?.text ?? '').join('');
    },
  },
  {
    sdk: 'openai',
    what: 'responses',
    whole: async (target, ask) => (await openAi(target, ask).responses.create(responseOf(ask))).output_text,
    streamed: async (target, ask) => {
      const stream = await openAi(target, ask).responses.create({ ...responseOf(ask), stream: true });
      return (await Array.fromAsync(stream)).map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
    },
  },
  {
    sdk: '@anthropic-ai/sdk',
    what: 'messages',
    whole: async (target, ask) => {
      const message = await anthropic(target, ask).messages.create({ ...chatOf(ask), max_tokens: maxTokens(ask) });
      return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    },
    streamed: async (target, ask) =>
      anthropic(target, ask)
        .messages.stream({ ...chatOf(ask), max_tokens: maxTokens(ask) })
        .finalText(),
  },
  vercel('@ai-sdk/openai-compatible', (target, ask) => vercelCompatibleOf(target, optionsOf(ask)).chatModel(ask.model)),
  vercel('@ai-sdk/openai: chat', (target, ask) => vercelOpenAiOf(target, optionsOf(ask)).chat(ask.model)),
  vercel('@ai-sdk/openai: responses', (target, ask) => vercelOpenAiOf(target, optionsOf(ask)).responses(ask.model)),
];

/** Vercel's streams do not reject: what went wrong is a part of the stream. It is thrown here, like the others'. */
function vercel(what: string, modelOf: (target: Pick<Target, 'baseUrl'>, ask: Ask) => LanguageModel): Asking {
  const bodyOf = (target: Pick<Target, 'baseUrl'>, ask: Ask) => ({
    model: modelOf(target, ask),
    prompt: ask.text,
    maxOutputTokens: maxTokens(ask),
    maxRetries: ask.maxRetries ?? 0,
    headers: { ...ask.headers },
  });
  return {
    sdk: 'ai',
    what,
    whole: async (target, ask) => (await generateText(bodyOf(target, ask))).text,
    streamed: async (target, ask) => {
      let text = '';
      for await (const part of streamText({ ...bodyOf(target, ask), onError: () => undefined }).fullStream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text-delta') text += part.text;
      }
      return text;
    },
  };
}

function openAi(target: Pick<Target, 'baseUrl'>, ask: Ask) {
  return openAiOf(target, { ...optionsOf(ask), maxRetries: ask.maxRetries ?? 0, defaultHeaders: ask.headers });
}

function anthropic(target: Pick<Target, 'baseUrl'>, ask: Ask) {
  return anthropicOf(target, { ...optionsOf(ask), maxRetries: ask.maxRetries ?? 0, defaultHeaders: ask.headers });
}

function optionsOf({ fetch, apiKey }: Ask): { readonly fetch?: typeof globalThis.fetch; readonly apiKey?: string } {
  return { ...(fetch === undefined ? {} : { fetch }), ...(apiKey === undefined ? {} : { apiKey }) };
}

function chatOf(ask: Ask) {
  return { model: ask.model, messages: [{ role: 'user' as const, content: ask.text }] };
}

function responseOf(ask: Ask) {
  return { model: ask.model, input: ask.text, max_output_tokens: maxTokens(ask) };
}

function maxTokens({ maxTokens: given }: Ask): number {
  return given ?? 16;
}
