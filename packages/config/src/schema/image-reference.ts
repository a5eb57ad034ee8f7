import { textLike } from './fields.ts';

const HOST = String.raw`(?:(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::\d+)?/)?`;
const PART = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const TAG = String.raw`(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?`;
const DIGEST = String.raw`(?:@[a-z0-9]+:[0-9a-f]{32,})?`;
const REFERENCE = new RegExp(`^${HOST}${PART}(?:/${PART})*${TAG}${DIGEST}$`);

/** An image reference by the grammar of the distribution project (`reference.go`): registry, lower-case path, tag, digest. */
export function imageReference(description: string) {
  return textLike(REFERENCE, 'Write an image such as vllm/vllm-openai:v0.30.0', description);
}

/** Whether a reference names one version: a digest, or a tag other than `latest`. */
export function isPinnedImage(reference: string): boolean {
  if (reference.includes('@')) return true;
  const tag = /:([^:/]+)$/.exec(reference)?.[1];
  return tag !== undefined && tag !== 'latest';
}
