import type { ApiServerSettings } from './api-server-settings.ts';

/**
 * What vLLM refuses while it reads its configuration, before EngineCore exists: the last lines of its output, for exit code 1. Undefined
 * when nothing is wrong. The texts are those of vLLM 0.32.0.
 */
export function findConfigError({ arguments: args, profile, card, allowLongContext }: ApiServerSettings): string | undefined {
  if (profile.modelMissing) {
    return (
      'huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the specified revision on the ' +
      "local disk and outgoing traffic has been disabled. To enable repo look-ups and downloads online, pass 'local_files_only=False' as input."
    );
  }
  const utilization = args.gpuMemoryUtilization;
  if (utilization > 1 || utilization <= 0) {
    const rule = utilization > 1 ? 'less than or equal to 1' : 'greater than 0';
    return validationError(
      'CacheConfig',
      `gpu_memory_utilization\n  Input should be ${rule} [input_value=${utilization}, input_type=float]`,
    );
  }
  if (!allowLongContext && args.maxModelLen !== undefined && args.maxModelLen > profile.maxModelLen) {
    return validationError(
      'ModelConfig',
      `  Value error, User-specified max_model_len (${args.maxModelLen}) is greater than the derived max_model_len ` +
        `(max_position_embeddings=${profile.maxModelLen} or model_max_length=None in model's config.json). To allow overriding this maximum, ` +
        'set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.',
    );
  }
  if (card !== null && args.tensorParallelSize > card.gpus.length) {
    return validationError(
      'ParallelConfig',
      `  Value error, World size (${args.tensorParallelSize}) is larger than the number of available GPUs (${card.gpus.length}) in this node.`,
    );
  }
  return card === null && args.enableSleepMode
    ? validationError('ModelConfig', '  Value error, Sleep mode is not supported on current platform.')
    : undefined;
}

function validationError(config: string, details: string): string {
  return `pydantic_core._pydantic_core.ValidationError: 1 validation error for ${config}\n${details}`;
}
