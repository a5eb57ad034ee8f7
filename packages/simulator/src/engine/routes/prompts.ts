import { chatPromptTokens } from '../generate.ts';
import { badRequest, missingField } from '../http/api-error.ts';
import type { Body } from '../http/exchange.ts';
import type { Serving } from '../serving.ts';
import { countTokens } from '../tokens.ts';
import type { PromptSize } from './sampling.ts';

/** The prompts of a completion or embedding: a text, a list of texts, a list of token ids, or a list of such lists. */
export function readPrompts(body: Body, field: string): PromptSize[] {
  const value = body[field];
  if (value === undefined || value === null) throw missingField(field, body);
  if (typeof value === 'string') return [textSize(value)];
  if (!Array.isArray(value)) throw badRequest(`Invalid ${field}`);
  if (value.every((entry) => typeof entry === 'number')) return [{ tokens: value.length, characters: 0 }];
  return value.map((entry: unknown) => (Array.isArray(entry) ? { tokens: entry.length, characters: 0 } : textSize(String(entry))));
}

export function textSize(text: string): PromptSize {
  return { tokens: countTokens(text), characters: text.length };
}

/** The size of a chat. Throws vLLM's errors for no messages and for images to a text model. */
export function readChat(body: Body, serving: Serving, field = 'messages'): PromptSize {
  const messages = body[field];
  if (messages === undefined || messages === null) throw missingField(field, body);
  if (!Array.isArray(messages) || messages.length === 0) {
    throw badRequest('Cannot apply chat template to an empty conversation. Provide at least one message.');
  }
  const texts = messages.flatMap((message: unknown) => contentTexts(property(message, 'content'), serving));
  if (typeof body['system'] === 'string') texts.push(body['system']);
  return { tokens: chatPromptTokens(texts), characters: texts.reduce((sum, text) => sum + text.length, 0) };
}

/** The texts of a message's content: a text, or parts of several types. */
export function contentTexts(content: unknown, serving: Serving): string[] {
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content)) return [''];
  return content.map((part: unknown) => {
    const type = property(part, 'type');
    if (type === 'image_url' || type === 'image' || type === 'input_image') {
      throw badRequest(`${serving.modelName} is not a multimodal model`);
    }
    const text = property(part, 'text');
    return typeof text === 'string' ? text : '';
  });
}

export function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
