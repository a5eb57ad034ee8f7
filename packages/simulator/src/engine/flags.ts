type FlagKind = 'switch' | 'value' | 'list';

const switches = `
  allow-credentials async-scheduling calculate-kv-scales disable-access-log-for-endpoints disable-cascade-attn disable-custom-all-reduce
  disable-fastapi-docs disable-frontend-multiprocessing disable-hybrid-kv-cache-manager disable-log-requests disable-log-stats
  disable-uvicorn-access-log disable-sliding-window enable-auto-tool-choice enable-chunked-prefill enable-dbo enable-eplb
  enable-expert-parallel enable-force-include-usage enable-log-outputs enable-log-requests enable-lora enable-prefix-caching
  enable-prompt-embeds enable-prompt-tokens-details enable-request-id-headers enable-return-routed-experts enable-scale-out
  enable-server-load-tracking enable-sleep-mode enable-ssl-refresh enable-tokenizer-info-endpoint enforce-eager
  exclude-tools-when-tool-choice-none headless interleave-mm-strings language-model-only log-error-stack
  multi-step-stream-outputs return-tokens-as-token-ids skip-mm-profiling skip-tokenizer-init trust-request-chat-template
  trust-remote-code use-tqdm-on-load`;

const values = `
  additional-config allowed-local-media-path api-server-count attention-backend attention-config block-size cc chat-template
  chat-template-content-format code-revision compilation-config config config-format convert cpu-offload-gb
  cudagraph-capture-sizes data-parallel-address data-parallel-backend data-parallel-rank data-parallel-size data-parallel-size-local
  default-chat-template-kwargs distributed-executor-backend download-dir dp dtype ec-transfer-config generation-config
  gpu-memory-utilization hf-config-path hf-overrides hf-token host ignore-patterns kernel-config kv-cache-dtype kv-cache-memory
  kv-cache-memory-bytes kv-cache-metrics-sample kv-events-config kv-offloading-backend kv-offloading-size kv-transfer-config
  limit-mm-per-prompt load-format log-config-file logits-processor-pattern logprobs-mode long-prefill-token-threshold lora-dtype
  mamba-cache-dtype mamba-ssm-cache-dtype max-cpu-loras max-cudagraph-capture-size max-log-len max-logprobs max-long-partial-prefills
  max-lora-rank max-loras max-model-len max-num-batched-tokens max-num-partial-prefills max-num-queued-reqs max-num-queued-tokens
  max-num-seqs max-parallel-loading-workers max-seq-len-to-capture media-io-kwargs mm-encoder-tp-mode mm-processor-cache-gb
  mm-processor-cache-type mm-processor-kwargs model model-impl model-loader-extra-config node-rank num-gpu-blocks-override nnodes
  O optimization-level otlp-traces-endpoint override-generation-config performance-mode pipeline-parallel-size pooler-config port pp
  prefix-caching-hash-algo quantization q reasoning-parser reasoning-parser-plugin response-role revision root-path runner
  safetensors-load-strategy scheduler-cls scheduling-policy seed shutdown-timeout speculative-config spec sse-keep-alive-interval
  ssl-ca-certs ssl-cert-reqs ssl-certfile ssl-keyfile stream-interval structured-outputs-config swap-space tensor-parallel-size
  tokenizer tokenizer-mode tokenizer-revision tool-call-parser tool-parser-plugin tool-server tp uvicorn-log-level`;

const lists = `allowed-headers allowed-methods allowed-origins api-key collect-detailed-traces logits-processors lora-modules middleware
  served-model-name show-hidden-metrics-for-version`;

/** Flags that vLLM 0.30 to 0.32 takes, by name without hyphens in front. A switch also exists as `no-<name>`. */
export const flagNames: ReadonlyMap<string, FlagKind> = new Map([
  ...names(switches).flatMap((name): [string, FlagKind][] => [
    [name, 'switch'],
    [`no-${name}`, 'switch'],
  ]),
  ...names(values).map((name): [string, FlagKind] => [name, 'value']),
  ...names(lists).map((name): [string, FlagKind] => [name, 'list']),
]);

function names(text: string): string[] {
  return text.trim().split(/\s+/);
}
