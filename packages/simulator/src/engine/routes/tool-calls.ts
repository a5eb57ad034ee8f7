import { randomBytes } from 'node:crypto';
import type { FunctionCall } from './scripted-answer.ts';

/** As vLLM makes them, on all routes (0.32.0, recorded). */
export function callId(): string {
  return `chatcmpl-tool-${randomBytes(8).toString('hex')}`;
}

/** A call as a Hermes model writes it, up to where it was cut off. */
export function callText(call: FunctionCall, argumentsSoFar: string): string {
  return `<tool_call>\n{"name": ${JSON.stringify(call.name)}, "arguments": ${argumentsSoFar}`;
}
