import type { Catalog, ModelSettings } from '@berth/config';
import { formatMemory } from '@berth/config';

/** What `berth up` prints once it serves: the URL, the models, and two lines to try. */
export function announce(options: { readonly url: string; readonly catalog: Catalog; readonly why: string }): string {
  const { url, catalog } = options;
  const chat = catalog.models.find((model) => !isEmbedding(model)) ?? catalog.models[0];
  const { simulatedGpus } = catalog.host;
  const lines = [
    '',
    `Berth serves at ${url}   (OpenAI API: ${url}/v1, dashboard: ${url}/, queue: ${url}/admin/queues)`,
    `  ${options.why}`,
    ...(simulatedGpus.length === 0
      ? []
      : [`  simulated: ${simulatedGpus.map(({ name, totalMiB }) => `${name} (${formatMemory(totalMiB * 2 ** 20)})`).join(', ')}`]),
    '',
    'Models:',
    ...catalog.models.map(
      (model) => `  ${model.name}${model.aliases.length === 0 ? '' : ` (also ${model.aliases.join(', ')})`}${sourceOf(model)}`,
    ),
  ];
  if (chat !== undefined) lines.push('', 'Try:', `  ${curlLine(url, chat)}`, `  ${sdkLine(url, chat)}`);
  lines.push('', 'The API is open to whoever reaches this address. Ctrl-C ends Berth and its endpoints.', '');
  return lines.join('\n');
}

function sourceOf(model: ModelSettings): string {
  if (model.source === null) return '';
  return `  ${model.source.kind === 'hub' ? model.source.id : model.source.path}`;
}

/** Only decides which example is printed, so the usual names are good enough. */
function isEmbedding(model: ModelSettings): boolean {
  return /embed|bge|e5-|gte|rerank/i.test(`${model.name}${sourceOf(model)}`);
}

function curlLine(url: string, { name }: ModelSettings): string {
  const body = JSON.stringify({ model: name, messages: [{ role: 'user', content: 'Hello!' }] });
  return `curl ${url}/v1/chat/completions -H 'content-type: application/json' -d '${body}'`;
}

function sdkLine(url: string, { name }: ModelSettings): string {
  const call = `chat.completions.create({ model: '${name}', messages: [{ role: 'user', content: 'Hello!' }] })`;
  return `await new OpenAI({ baseURL: '${url}/v1', apiKey: 'none' }).${call}`;
}
