import { isOperationalError } from '@berth/core';
import { errorResponse } from '../errors/error-response.ts';

/** What `act` answers, or its expected failure in OpenAI's form. Anything else is a bug and goes on. */
export async function told(act: () => Promise<Response>): Promise<Response> {
  try {
    return await act();
  } catch (error) {
    if (!isOperationalError(error)) throw error;
    return errorResponse(error);
  }
}
