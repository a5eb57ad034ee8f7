/** An error answer of vLLM. Validation errors say `Bad Request`, engine-level ones `BadRequestError`: see the texts where they are made. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.type = type;
    this.param = param;
  }

  /** The OpenAI-shaped body. */
  get body(): { error: { message: string; type: string; param: string | null; code: number } } {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.status } };
  }
}

export function badRequest(message: string, param: string | null = null): ApiError {
  return new ApiError(400, 'BadRequestError', message, param);
}

export function modelNotFound(model: string, served: readonly string[]): ApiError {
  return new ApiError(404, 'NotFoundError', `The model \`${model}\` does not exist. Valid aliases: ${served.join(', ')}.`, 'model');
}

export function missingField(field: string, body: Record<string, unknown>): ApiError {
  const input = `<dict of ${Object.keys(body).length} items>`;
  const message = `1 validation error:\n  {'type': 'missing', 'loc': 'body.${field}', 'msg': 'Field required', 'input': '${input}'}`;
  return new ApiError(400, 'Bad Request', message, `body.${field}`);
}

export function invalidJson(text: string, cause: unknown): ApiError {
  const position = Number(/position (\d+)/.exec(String(cause))?.[1] ?? text.length);
  const message =
    `1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.${position}', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', ` +
    `'ctx': {'error': 'Expecting property name enclosed in double quotes'}}`;
  return new ApiError(400, 'Bad Request', message, `body.${position}`);
}

export const unsupportedMediaType = (): ApiError =>
  new ApiError(400, 'Bad Request', "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed");

export const engineBusy = (): ApiError =>
  new ApiError(
    503,
    'Service Unavailable',
    'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.',
  );

export function internalError(message: string): ApiError {
  return new ApiError(500, 'InternalServerError', message);
}

/** JSON with Python's spacing, as vLLM writes error frames into streams. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, entry]) => `${JSON.stringify(key)}: ${pythonJson(entry)}`)
    .join(', ')}}`;
}
