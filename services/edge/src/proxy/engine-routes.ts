/** Whose SDK reads the answers of a route, so in which form it is told of errors. */
export type Dialect = 'openai' | 'messages' | 'responses';

/** One public route of the engine that clients may use. */
export interface EngineRoute {
  readonly method: 'GET' | 'POST';
  /** Pattern for Hono. */
  readonly path: string;
  /** Where `model` and `stream` stand. */
  readonly modelIn: 'json' | 'multipart' | 'query';
  readonly dialect: Dialect;
}

const json = (path: string, dialect: Dialect = 'openai'): EngineRoute => ({ method: 'POST', path, modelIn: 'json', dialect });
const multipart = (path: string): EngineRoute => ({ method: 'POST', path, modelIn: 'multipart', dialect: 'openai' });

/**
 * Every route of the engine that names a model and can be reached through Berth (`routes/responses.ts` has those that name an id); all others, above all `/sleep`, `/collective_rpc`, `/invocations` and the
 * like, do not exist here. Names as vLLM 0.32.0 lists them at start.
 */
export const ENGINE_ROUTES: readonly EngineRoute[] = [
  json('/v1/chat/completions'),
  json('/v1/completions'),
  json('/v1/embeddings'),
  json('/v1/responses', 'responses'),
  json('/v1/messages', 'messages'),
  json('/v1/messages/count_tokens', 'messages'),
  json('/v1/rerank'),
  json('/v2/rerank'),
  json('/rerank'),
  json('/v1/score'),
  json('/score'),
  json('/v1/classify'),
  json('/classify'),
  json('/v1/pooling'),
  json('/pooling'),
  json('/tokenize'),
  json('/detokenize'),
  json('/v1/audio/speech'),
  multipart('/v1/audio/transcriptions'),
  multipart('/v1/audio/translations'),
];
