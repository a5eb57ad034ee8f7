import { isOperationalError } from '@berth/core';
import { errorAnswer } from '../errors/error-answer.ts';

/** What `act` answers, or its expected failure in OpenAI's form. Anything else is a bug and goes on. */
export async function told(act: () => Promise<Response>): Promise<Response> {
  try {
    return await act();
  } catch (error) {
    if (!isOperationalError(error)) throw error;
    const { status, headers, body } = errorAnswer(error, 'openai');
    return new Response(body, { status, headers: pairs(headers) });
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ''] satisfies [string, string]] : []));
}
