import { attachCard, visibleGpus } from '../card/attach-card.ts';
import { readModels } from '../card/state-directory.ts';
import { runApiServer } from './api-server.ts';
import { parseEngineArguments } from './arguments.ts';
import { resolveProfile } from './model-profile.ts';

/** Program: the simulated `vllm serve`. Takes vLLM's command line and behaves like it; see README.md for its settings. */
const parsed = parseEngineArguments(process.argv.slice(2));
const card = attachCard(process.env, 'compute');
const models = card === undefined ? {} : readModels(card.stateDirectory);

if (parsed.kind === 'version') {
  process.stdout.write('0.32.0\n');
} else if (parsed.kind === 'refused') {
  process.stderr.write(`usage: vllm serve [model_tag] [options]\nvllm: error: ${parsed.message}\n`);
  process.exitCode = 2;
} else {
  const { arguments: args } = parsed;
  const gpus = card === undefined ? [] : visibleGpus(card.gpus, process.env['CUDA_VISIBLE_DEVICES']);
  const names = [...new Set([args.model, ...args.servedModelNames])];
  if (process.env['VLLM_API_KEY'] !== undefined) args.apiKeys.push(process.env['VLLM_API_KEY']);
  await runApiServer({
    arguments: args,
    profile: resolveProfile(names, models, process.env),
    card: card === undefined || gpus.length === 0 ? null : { ...card, gpus },
    allowLongContext: process.env['VLLM_ALLOW_LONG_MAX_MODEL_LEN'] === '1',
    devMode: process.env['VLLM_SERVER_DEV_MODE'] === '1',
    storesResponses: process.env['VLLM_ENABLE_RESPONSES_API_STORE'] === '1',
    keepAliveMs: Number(process.env['VLLM_HTTP_TIMEOUT_KEEP_ALIVE'] ?? '5') * 1000,
  });
}
