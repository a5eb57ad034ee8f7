import { describe, expect, it, test } from 'vitest';
import { anthropicErrorSchema, errorEnvelopeSchema } from '@berth/contracts';
import { ERROR_CODES, OperationalError } from '@berth/core';
import { errorAnswer, errorFrame, faultOf, unexpectedAnswer } from './error-answer.ts';
import { HTTP_ERRORS } from './error-table.ts';

describe('errorAnswer', () => {
  it.each(ERROR_CODES)('tells %s in the form of OpenAI and of Anthropic', (code) => {
    const failure = new OperationalError({ code, message: 'what was tried', retryable: true });
    const openai = errorAnswer(failure, 'openai');
    expect(openai.status).toBe(HTTP_ERRORS[code].status);
    expect(errorEnvelopeSchema.parse(JSON.parse(openai.body)).error.message).toBe('what was tried');
    expect(anthropicErrorSchema.parse(JSON.parse(errorAnswer(failure, 'messages').body)).error.message).toBe('what was tried');
  });

  it('says when to come back, in whole seconds', () => {
    const failure = new OperationalError({ code: 'MODEL_LOADING', message: 'loading', retryable: true, retryAfterMs: 41_200 });
    const { headers, body } = errorAnswer(failure, 'openai');
    expect(headers.slice(headers.indexOf('retry-after'))).toEqual(['retry-after', '42']);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'model_loading', type: 'server_error', param: null } });
  });

  it('tells clients that repeat every 5xx not to repeat what cannot succeed', () => {
    const failure = new OperationalError({ code: 'DOES_NOT_FIT', message: 'too big', retryable: false });
    expect(errorAnswer(failure, 'openai').headers).toContain('x-should-retry');
  });
});

test('a bug is told as no more than that, with 500', () => {
  expect(unexpectedAnswer('openai').status).toBe(500);
  expect(errorEnvelopeSchema.parse(JSON.parse(unexpectedAnswer('openai').body)).error.code).toBe('INTERNAL');
  expect(anthropicErrorSchema.safeParse(JSON.parse(unexpectedAnswer('messages').body)).success).toBe(true);
});

describe('errorFrame', () => {
  const fault = faultOf({ code: 'ENGINE_EXITED', message: 'gone', retryable: true });

  it('is what each SDK raises from inside a stream', () => {
    expect(errorFrame(fault, 'openai')).toBe(
      'data: {"error":{"message":"gone","type":"server_error","param":null,"code":"ENGINE_EXITED"}}\n\n',
    );
    expect(errorFrame(fault, 'messages')).toBe('event: error\ndata: {"type":"error","error":{"type":"api_error","message":"gone"}}\n\n');
    expect(errorFrame(fault, 'responses')).toMatch(/^event: error\ndata: \{"type":"error","code":"ENGINE_EXITED","message":"gone"/u);
  });
});
