import { prefillOnly } from '../generate.ts';
import { badRequest, missingField } from '../http/api-error.ts';
import { sendEvents, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { readForm } from '../http/form.ts';
import { dataFrame } from './answers.ts';
import { admit, checkModel, nowSeconds } from './sampling.ts';

type Task = 'transcription' | 'translation';

/** Encoder positions of a window of 30 s (Whisper). */
const promptTokens = 1500;
const words = ['This ', 'text ', 'comes ', 'from ', 'a ', 'simulated ', 'engine.'];

export const transcription = (exchange: Exchange): Promise<void> => answer(exchange, 'transcription');
export const translation = (exchange: Exchange): Promise<void> => answer(exchange, 'translation');

/**
 * Multipart, any audio; a WAV file tells its own length. Every format is answered as JSON, `text` too, and only transcriptions have a usage (vLLM
 * 0.32.0, entrypoints/speech_to_text).
 */
async function answer(exchange: Exchange, task: Task): Promise<void> {
  const { fields, files } = await readForm(exchange);
  const file = files.get('file');
  const asked = { model: fields.get('model') };
  checkModel(asked, exchange.serving);
  if (file === undefined) throw missingField('file', asked);
  const format = fields.get('response_format') ?? 'json';
  if (!['text', 'json', 'verbose_json'].includes(format)) {
    throw badRequest('Currently only support response_format: `text`, `json`, `verbose_json` or `diarized_json`');
  }
  const stream = fields.get('stream') === 'true';
  if (stream && format === 'verbose_json') throw badRequest(`${format} format doesn't support streaming case`);
  if (stream) return await sendEvents(exchange, frames(exchange, task));
  using _admission = admit(exchange);
  await prefillOnly(exchange.serving, promptTokens, exchange.signal);
  const text = words.join('');
  const seconds = secondsOf(file);
  if (format === 'verbose_json') {
    const numbers = { avg_logprob: -0.5, compression_ratio: 1, no_speech_prob: null, seek: 0, temperature: 0 };
    const segments = [{ id: 0, ...numbers, start: 0, end: seconds, text, tokens: [] }];
    return sendJson(exchange, 200, { duration: seconds, language: fields.get('language') ?? 'en', text, segments, words: null });
  }
  const usage = task === 'transcription' ? { usage: { type: 'duration', seconds: Math.ceil(seconds) } } : {};
  sendJson(exchange, 200, { text, ...usage });
}

async function* frames(exchange: Exchange, task: Task): AsyncGenerator<string> {
  using _admission = admit(exchange);
  await prefillOnly(exchange.serving, promptTokens, exchange.signal);
  const { modelName: model } = exchange.serving;
  const head = {
    id: `${task === 'transcription' ? 'trsc' : 'trsl'}-${exchange.requestId}`,
    object: `${task}.chunk`,
    created: nowSeconds(),
    model,
  };
  for (const [at, content] of words.entries()) {
    const last = at === words.length - 1;
    yield dataFrame({ ...head, choices: [{ delta: { content }, finish_reason: last ? 'stop' : null, stop_reason: null }] });
    await exchange.serving.gate.pause(exchange.serving.profile.tokenDelayMs, exchange.signal);
  }
  yield 'data: [DONE]\n\n';
}

/** Of a WAV file; of anything else the length of one window. */
function secondsOf(file: Buffer): number {
  if (file.length < 44 || file.toString('latin1', 0, 4) !== 'RIFF') return 30;
  const bytesPerSecond = file.readUInt32LE(28);
  return bytesPerSecond === 0 ? 0 : (file.length - 44) / bytesPerSecond;
}
