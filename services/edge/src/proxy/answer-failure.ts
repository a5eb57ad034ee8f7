import { isOperationalError } from '@berth/core';
import { errorAnswer, errorFrame, faultOf, unexpectedAnswer, UNEXPECTED_FAULT } from '../errors/error-answer.ts';
import { linesOf } from '../http/header-lines.ts';
import type { EdgeLogger } from '../telemetry/edge-logger.ts';
import type { RequestRecord } from '../telemetry/request-record.ts';
import { ClientLeft } from './client-answer.ts';
import type { ClientAnswer } from './client-answer.ts';
import type { Dialect } from './engine-routes.ts';

/**
 * Tells the client what went wrong before an engine answered: with its status while no head was sent, as a frame of the stream after
 * heartbeats. What is no expected failure is a bug: it is logged, and the client learns no more than that.
 */
export function answerFailure(parts: {
  readonly error: unknown;
  readonly answer: ClientAnswer;
  readonly dialect: Dialect;
  readonly record: RequestRecord;
  readonly logger: EdgeLogger;
  /** Of a head that is still to be sent; flat. */
  readonly extraHeaders?: readonly string[];
}): void {
  const { error, answer, dialect, record, logger, extraHeaders = [] } = parts;
  if (error instanceof ClientLeft || answer.hasLeft) {
    record.outcome = 'client-left';
    return;
  }
  record.outcome = 'failed';
  if (!isOperationalError(error)) logger.error({ requestId: record.requestId, err: error }, 'request handler failed');
  const failure = isOperationalError(error) ? error : null;
  record.code = failure?.code ?? 'INTERNAL';
  if (answer.headSent) {
    answer.write(errorFrame(failure === null ? UNEXPECTED_FAULT : faultOf(failure), dialect));
    answer.end();
    return;
  }
  const { status, headers, body } = failure === null ? unexpectedAnswer(dialect) : errorAnswer(failure, dialect);
  const lines = linesOf([...headers, ...extraHeaders, 'x-request-id', record.requestId]);
  answer.begin({ status, statusText: '', headers: lines, hasLength: true, hasDate: false }, false);
  answer.end(body);
}
