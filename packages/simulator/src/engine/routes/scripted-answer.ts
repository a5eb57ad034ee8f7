import { badRequest } from '../http/api-error.ts';
import type { Body } from '../http/exchange.ts';
import type { Serving } from '../serving.ts';
import { minimalJson } from './minimal-json.ts';
import { property } from './prompts.ts';

/** A call of one of the functions that a request offers. `arguments` is JSON text. */
export interface FunctionCall {
  readonly name: string;
  readonly arguments: string;
  /** The request named this very function. */
  readonly named: boolean;
}

/** What an answer has to be besides the simulated sentence: a call, a JSON text, or neither. */
export interface ScriptedAnswer {
  readonly call: FunctionCall | null;
  /** The text of the answer, of a call its arguments, in the pieces of a stream; `null`: the simulated sentence. */
  readonly pieces: readonly string[] | null;
}

/** Characters in a piece: a token of a real tokenizer is about as long. */
const pieceLength = 4;

interface Offer {
  readonly functions: readonly { readonly name: unknown; readonly schema: unknown }[];
  /** A name, or one of the three words. */
  readonly choice: 'auto' | 'none' | 'required' | { readonly name: unknown };
  /** The conversation ends with what a function returned. */
  readonly answered: boolean;
  /** Schema of the text; `undefined`: free. */
  readonly format: unknown;
}

/** Of a chat completion. Throws vLLM's refusal of a `json_schema` format without one (0.32.0, recorded). */
export function scriptChat(body: Body, serving: Serving): ScriptedAnswer {
  const format = body['response_format'];
  const schema = property(property(format, 'json_schema'), 'schema');
  if (property(format, 'type') === 'json_schema' && property(format, 'json_schema') === undefined) {
    const message = "When response_format type is 'json_schema', the 'json_schema' field must be provided. (parameter=response_format)";
    throw badRequest(message, 'response_format');
  }
  return script(serving, {
    functions: listOf(body['tools']).map((tool) => functionOf(property(tool, 'function'), 'parameters')),
    choice: choiceOf(body['tool_choice'], property(property(body['tool_choice'], 'function'), 'name')),
    answered: property(listOf(body['messages']).at(-1), 'role') === 'tool',
    format: property(format, 'type') === 'json_object' ? {} : schema,
  });
}

/** Of Anthropic's messages. */
export function scriptMessages(body: Body, serving: Serving): ScriptedAnswer {
  const choice = body['tool_choice'];
  const type = property(choice, 'type');
  return script(serving, {
    functions: listOf(body['tools']).map((tool) => functionOf(tool, 'input_schema')),
    choice: choiceOf(type === 'any' ? 'required' : type, type === 'tool' ? property(choice, 'name') : undefined),
    answered: listOf(property(listOf(body['messages']).at(-1), 'content')).some((part) => property(part, 'type') === 'tool_result'),
    format: property(property(body['output_config'], 'format'), 'schema'),
  });
}

/** Of the responses API. */
export function scriptResponses(body: Body, serving: Serving): ScriptedAnswer {
  const format = property(body['text'], 'format');
  const formats: Record<string, unknown> = { json_schema: property(format, 'schema'), json_object: {} };
  return script(serving, {
    functions: listOf(body['tools'])
      .filter((tool) => property(tool, 'type') === 'function')
      .map((tool) => functionOf(tool, 'parameters')),
    choice: choiceOf(body['tool_choice'], property(body['tool_choice'], 'name')),
    answered: property(listOf(body['input']).at(-1), 'type') === 'function_call_output',
    format: formats[String(property(format, 'type'))],
  });
}

/**
 * A model that may choose calls the first function, once: what a function returned is answered in words. It needs the flags that vLLM needs; without
 * them tools are ignored here, and refused where vLLM refuses them.
 */
function script(serving: Serving, { functions, choice, answered, format }: Offer): ScriptedAnswer {
  const named = typeof choice === 'object';
  const wanted = named ? functions.find(({ name }) => name === choice.name) : functions[0];
  const calls = serving.arguments.enableAutoToolChoice && choice !== 'none' && !(choice === 'auto' && answered);
  if (calls && wanted !== undefined) {
    const text = JSON.stringify(minimalJson(wanted.schema));
    return { call: { name: String(wanted.name), arguments: text, named }, pieces: piecesOf(text) };
  }
  return { call: null, pieces: format === undefined ? null : piecesOf(JSON.stringify(minimalJson(format))) };
}

function choiceOf(word: unknown, name: unknown): Offer['choice'] {
  if (name !== undefined) return { name };
  return word === 'none' || word === 'required' ? word : 'auto';
}

function functionOf(description: unknown, schemaKey: string): Offer['functions'][number] {
  return { name: property(description, 'name'), schema: property(description, schemaKey) };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function piecesOf(text: string): readonly string[] {
  return text.match(new RegExp(`[^]{1,${pieceLength}}`, 'gu')) ?? [''];
}
