import { z } from 'zod';
import { duration, environmentName, group, memory, notSupportedYet, textLike } from './fields.ts';
import { imageReference } from './image-reference.ts';

/**
 * Names that can stand in JSON, in a URL path and after `--served-model-name`, where a leading dash would read as a flag. Slashes and
 * colons are usual in model names.
 */
const servedName = textLike(
  /^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$/,
  'A name has letters, digits and . _ : / @ + -, at most 200, and begins with a letter or digit',
  'A name that requests may ask for',
);

const plainValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const urlPath = textLike(/^\/[^\s?#]*$/, 'Write a path that begins with /, such as /health', 'Path on the engine');

const commonShape = {
  env: z.record(environmentName, plainValue).optional().meta({ description: 'Environment of the engine' }),
  envFrom: z
    .array(environmentName)
    .optional()
    .meta({ description: "Variables passed on from the orchestrator's own environment; where both name one, env wins" }),
  volumes: z
    .array(
      textLike(
        /^[^\s:][^:]*:\/[^:]*(:(ro|rw))?$/,
        'Write host:container or host:container:ro, the container path absolute',
        'host:container[:ro]',
      ),
    )
    .optional()
    .meta({ description: 'Mounted into the container: a path (absolute, relative to this file, or from ~) or a named volume' }),
  shmSize: memory('Limit of /dev/shm (default 8GiB: with the usual 64 MiB tensor parallel workers fail)').optional(),
  port: z.int().min(1).max(65_535).optional().meta({
    description: 'Port that the engine listens on inside its container (default 8000). Under the process runtime Berth picks one',
  }),
  healthPath: urlPath.optional().meta({ description: 'Answers 200 once the engine is up (default /health)' }),
  image: imageReference('Image of the engine; a pinned tag').optional(),
  kvCache: memory('KV cache of vLLM per GPU (in main memory when gpus is 0). It decides how much context fits', {
    least: 2 ** 20,
  }).optional(),
  maxInFlight: z.int().min(1).optional().meta({
    description: 'Requests that each edge sends to an endpoint at once (default 10000: vLLM batches and queues by itself); beyond it 429',
  }),
  idleTimeout: duration('Time since the end of the last request after which the endpoint stops').optional(),
  loadTimeout: duration('Longest start').optional(),
  pullTimeout: duration('Longest pull of an image').optional(),
};

/** `defaults`: what models take over unless they say otherwise. */
export const defaultsSchema = group('What models take over unless they say otherwise', commonShape);

/** One entry of `models`. */
export const modelSchema = z.strictObject({
  engine: z
    .enum(['vllm', 'openai'])
    .default('vllm')
    .meta({ description: 'vllm: Berth adds the flags. openai: any OpenAI-compatible server, arguments as given' }),
  source: z
    .string()
    .regex(/^[A-Za-z0-9./~]\S*$/, { error: (issue) => `"${String(issue.input)}" is not valid here. Write org/model, or a path` })
    .optional()
    .meta({ description: 'Hugging Face id, or a path that begins with ./ ../ / or ~ and is mounted' }),
  aliases: z.array(servedName).default([]).meta({ description: 'Further names that requests may ask for' }),
  args: z.array(plainValue).default([]).meta({ description: 'Arguments of the engine; {port} stands for its port' }),
  command: z
    .array(plainValue)
    .min(1)
    .optional()
    .meta({ description: "The program under the process runtime (default: vllm serve); under docker it replaces the image's entrypoint" }),
  gpus: z.int().min(0).max(64).default(1).meta({ description: '0: on the CPU. More than one: tensor parallel on that many' }),
  pinned: z.boolean().default(false).meta({ description: 'Never a victim, never stopped for being idle' }),
  preload: z.boolean().default(false).meta({ description: 'Placed at start' }),
  probe: z
    .strictObject({ path: urlPath, body: z.record(z.string(), z.unknown()).meta({ description: 'Sent as JSON, as it is' }) })
    .optional()
    .meta({ description: 'Request that proves readiness of an engine: openai, as large as requests get' }),
  memory: z
    .strictObject({
      atLeast: memory('What is known to be needed per GPU: a model that can never fit is then refused at once').optional(),
      utilization: notSupportedYet('Size the model with kvCache instead'),
    })
    .optional()
    .meta({ description: 'What is known about its memory before it was measured' }),
  ...commonShape,
});

export const modelsSchema = z.record(servedName, modelSchema).meta({ description: 'The models, by name' });

export type DefaultsInput = z.output<typeof defaultsSchema>;
export type ModelInput = z.output<typeof modelSchema>;
