/** Whose SDK reads the answers of a route, so in which form it is told of errors. */
export type Dialect = 'openai' | 'messages' | 'responses';

/** One public route of the engine that clients may use. */
export interface EngineRoute {
  readonly method: 'POST';
  /** As a client sends it, without its query. */
  readonly path: string;
  /** Where `model` and `stream` stand. */
  readonly modelIn: 'json' | 'multipart';
  readonly dialect: Dialect;
}

const json = (path: string, dialect: Dialect = 'openai'): EngineRoute => ({ method: 'POST', path, modelIn: 'json', dialect });
const multipart = (path: string): EngineRoute => ({ method: 'POST', path, modelIn: 'multipart', dialect: 'openai' });

/**
 * Every route of the engine that can be reached through Berth: those that do a model's work for a client and name the model
 * (`routes/responses.ts` has the two that name a stored response instead). Names as in
 * vLLM 0.32.0 (`vllm/entrypoints`), which registers them by the tasks of its model. `/v1/classify`, `/v1/pooling` and `/v1/audio/speech` are
 * not vLLM's; other engines have them.
 *
 * All others do not exist here: `/sleep`, `/collective_rpc` and all that the development mode adds; LoRA loading, profiling, scaling and
 * weight transfer; `/invocations`, which takes any body; `/inference/v1/*`, `*\/render` and `*\/derender`, by which engines talk to each
 * other; `/health`, `/ping`, `/load`, `/version`, `/metrics`, `/kv_event_sources`, `/tokenizer_info` and the docs, which are about one
 * engine; `/v1/models`, which Berth answers, since an engine's list tells its paths; `/v1/realtime`, a websocket; `/cohere/v2/chat`, which
 * needs a package that vLLM's image does not bring and tells errors in a form of its own.
 */
export const ENGINE_ROUTES: readonly EngineRoute[] = [
  json('/v1/chat/completions'),
  json('/v1/chat/completions/batch'),
  json('/v1/completions'),
  json('/v1/embeddings'),
  json('/v2/embed'),
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
  json('/generative_scoring'),
  json('/v1/systemone'),
  json('/tokenize'),
  json('/detokenize'),
  json('/v1/audio/speech'),
  multipart('/v1/audio/transcriptions'),
  multipart('/v1/audio/translations'),
];
