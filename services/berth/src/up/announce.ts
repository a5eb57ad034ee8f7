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
  const withKey = catalog.keys.length > 0;
  if (chat !== undefined) lines.push('', 'Try:', `  ${curlLine(url, chat, withKey)}`, `  ${sdkLine(url, chat, withKey)}`);
  lines.push('', `${whoMayUse(catalog)} Ctrl-C ends Berth and its endpoints.`, '');
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

function whoMayUse({ keys, adminKeys }: Catalog): string {
  if (keys.length === 0) return 'The API is open to whoever reaches this address.';
  const ids = keys.map(({ id }) => id).join(', ');
  const admin =
    adminKeys.length === 0
      ? 'dashboard and queue are closed: the catalog has no adminKeys'
      : 'dashboard and queue with an admin key as password';
  return `The API takes the keys of ${ids}; ${admin}.`;
}

function curlLine(url: string, { name }: ModelSettings, withKey: boolean): string {
  const body = JSON.stringify({ model: name, messages: [{ role: 'user', content: 'Hello!' }] });
  const key = withKey ? ' -H "authorization: Bearer $KEY"' : '';
  return `curl ${url}/v1/chat/completions${key} -H 'content-type: application/json' -d '${body}'`;
}

function sdkLine(url: string, { name }: ModelSettings, withKey: boolean): string {
  const call = `chat.completions.create({ model: '${name}', messages: [{ role: 'user', content: 'Hello!' }] })`;
  return `await new OpenAI({ baseURL: '${url}/v1', apiKey: ${withKey ? 'KEY' : "'none'"} }).${call}`;
}
