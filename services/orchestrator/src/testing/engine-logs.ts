/** What vLLM writes when the context asked for needs more KV cache than it was given (vLLM 0.32.0, recorded). */
export function kvCacheTooSmall(neededGiB: number, givenGiB: number, estimatedLength: number): readonly string[] {
  return [
    `(EngineCore pid=270) ValueError: To serve at least one request with the model's max seq len (32768), (${neededGiB} GiB KV cache is needed, which is larger than the available KV cache memory (${givenGiB} GiB). Based on the available memory, the estimated maximum model length is ${estimatedLength}. Try increasing \`gpu_memory_utilization\` or decreasing \`max_model_len\` when initializing the engine.`,
  ];
}

/** What torch writes when an allocation fails (vLLM 0.32.0, recorded). */
export function outOfMemory(sizes: { readonly ownMiB: number; readonly triedMiB: number }): readonly string[] {
  const ownGiB = (sizes.ownMiB / 1024).toFixed(2);
  return [
    `(EngineCore pid=270) torch.OutOfMemoryError: CUDA out of memory. Tried to allocate ${sizes.triedMiB}.00 MiB. GPU 0 has a total capacity of 15.51 GiB of which 117.69 MiB is free. Including non-PyTorch memory, this process has ${ownGiB} GiB memory in use. Of the allocated memory 1.12 GiB is allocated by PyTorch.`,
  ];
}
