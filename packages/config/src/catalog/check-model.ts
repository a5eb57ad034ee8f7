import type { RuntimeKind } from '../settings.ts';
import type { DefaultsInput, ModelInput } from '../schema/model-schema.ts';
import type { KeyPath } from './read-document.ts';

/** A broken rule between keys, relative to the part that was checked. */
export interface Finding {
  readonly path: KeyPath;
  readonly message: string;
}

/** Flags that Berth gives to vLLM itself, and what to write instead. vLLM takes dashes and underscores alike (FlexibleArgumentParser). */
const OWNED_FLAGS: Readonly<Record<string, string>> = {
  '--port': 'Berth sets it; under docker write port',
  '--host': 'Berth sets it',
  '--uds': 'Berth reaches engines by TCP',
  '--model': 'Write source',
  '--served-model-name': 'Write aliases',
  '--kv-cache-memory-bytes': 'Write kvCache',
  '--kv-cache-memory': 'Write kvCache',
  '--gpu-memory-utilization': 'Berth sizes models by kvCache; memory.utilization is not supported yet',
  '--api-key': 'Berth would be refused by its own engine. Clients never reach engines directly',
};

/** Variables that would take GPUs, or Berth's way in, away from the engine. */
const OWNED_VARIABLES: Readonly<Record<string, string>> = {
  CUDA_VISIBLE_DEVICES: 'Berth chooses the GPUs. Write gpus',
  NVIDIA_VISIBLE_DEVICES: 'Berth chooses the GPUs. Write gpus',
  VLLM_API_KEY: 'Berth would be refused by its own engine. Clients never reach engines directly',
};

/** The rules between the keys of one model. The order of the findings is that of the rules; all are found. */
export function checkModel(model: ModelInput, defaults: DefaultsInput, runtime: RuntimeKind): Finding[] {
  const findings = model.engine === 'vllm' ? checkVllm(model) : checkOpenai(model, defaults, runtime);
  if (model.gpus === 0 && model.memory?.atLeast !== undefined) {
    findings.push({ path: ['memory', 'atLeast'], message: 'is GPU memory, and gpus: 0 uses none. Remove one of them' });
  }
  return [...findings, ...checkEnvironment(model.env), ...checkVolumes(model.volumes)];
}

/** Rules on `env` that hold for defaults too. */
export function checkEnvironment(env: Readonly<Record<string, string>> | undefined): Finding[] {
  return Object.keys(env ?? {}).flatMap((name) => {
    const advice = OWNED_VARIABLES[name];
    return advice === undefined ? [] : [{ path: ['env', name], message: `cannot be set. ${advice}` }];
  });
}

/** Rules on `volumes` that hold for defaults too. */
export function checkVolumes(volumes: readonly string[] | undefined): Finding[] {
  const seen = new Set<string>();
  return (volumes ?? []).flatMap((volume, index) => {
    const target = volume.split(':')[1] ?? '';
    const path = ['volumes', index];
    if (target.split('/').includes('..')) return [{ path, message: `"${target}" must not contain .. (write the real path)` }];
    if (seen.has(target)) return [{ path, message: `mounts a second thing at ${target}. Remove one of them` }];
    seen.add(target);
    return [];
  });
}

function checkVllm(model: ModelInput): Finding[] {
  const findings: Finding[] = [];
  if (model.source === undefined)
    findings.push({ path: ['source'], message: 'is missing. Write a Hugging Face id such as org/model, or a path' });
  if (model.probe !== undefined) {
    findings.push({ path: ['probe'], message: 'is for engine: openai only; vLLM is probed by its own task. Remove it' });
  }
  model.args.forEach((argument, index) => {
    const flag = argument.split('=')[0]?.replaceAll('_', '-') ?? '';
    const advice = OWNED_FLAGS[flag];
    if (advice !== undefined) findings.push({ path: ['args', index], message: `${flag} cannot be given here. ${advice}` });
  });
  return findings;
}

function checkOpenai(model: ModelInput, defaults: DefaultsInput, runtime: RuntimeKind): Finding[] {
  const findings: Finding[] = [];
  if (model.kvCache !== undefined)
    findings.push({ path: ['kvCache'], message: 'is a setting of vLLM; engine: openai gets no vLLM flags. Remove it' });
  if (runtime === 'process' && model.command === undefined) {
    findings.push({ path: ['command'], message: 'is missing. engine: openai under the process runtime needs the program to run' });
  }
  if (runtime === 'docker' && model.image === undefined && model.command === undefined) {
    findings.push({ path: ['image'], message: 'is missing. engine: openai needs an image of its own: that of the defaults is for vLLM' });
  }
  const env = { ...defaults.env, ...model.env };
  const takesPort = [...(model.command ?? []), ...model.args, ...Object.values(env)].some((text) => text.includes('{port}'));
  const knowsPort = takesPort || (runtime === 'docker' && (model.port ?? defaults.port) !== undefined);
  if (!knowsPort) {
    const orPort = runtime === 'docker' ? ', or port if the image always listens on the same one' : '';
    findings.push({ path: ['args'], message: `must say where to listen. Put {port} into command, args or env${orPort}` });
  }
  return findings;
}
