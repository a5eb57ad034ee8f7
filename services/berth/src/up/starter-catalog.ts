import { existsSync, renameSync, writeFileSync } from 'node:fs';

/** Small open models that need no token and fit together on a card of 16 GB. */
const starterCatalog = `# Berth serves what stands here. Written at the first start; change it as you like: \`npm run berth check\` validates it.
defaults:
  image: vllm/vllm-openai:v0.30.0
  kvCache: 2GiB
  idleTimeout: 15m

models:
  qwen3-0.6b:
    source: Qwen/Qwen3-0.6B
  qwen2.5-1.5b:
    source: Qwen/Qwen2.5-1.5B-Instruct
  bge-small:
    source: BAAI/bge-small-en-v1.5
`;

/** Writes the starter catalog in one step, and never over a file that is there. */
export function writeStarterCatalog(path: string): void {
  if (existsSync(path)) return;
  writeFileSync(`${path}.new`, starterCatalog);
  renameSync(`${path}.new`, path);
}
