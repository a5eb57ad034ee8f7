/** Bytes per simulated token: about what a real tokenizer makes of English. */
const bytesPerToken = 3;

/** A reversible tokenizer: up to three bytes of UTF-8 per token, their number in the bits above them. */
export function encodeTokens(text: string): number[] {
  const bytes = Buffer.from(text, 'utf8');
  const tokens: number[] = [];
  for (let at = 0; at < bytes.length; at += bytesPerToken) {
    const part = bytes.subarray(at, at + bytesPerToken);
    tokens.push((part.length << 24) | ((part[0] ?? 0) << 16) | ((part[1] ?? 0) << 8) | (part[2] ?? 0));
  }
  return tokens;
}

/** The text of tokens; ids that `encodeTokens` never makes become U+FFFD. */
export function decodeTokens(tokens: readonly number[]): string {
  const bytes = tokens.flatMap((token) => {
    const length = token >>> 24;
    const part = [(token >>> 16) & 0xff, (token >>> 8) & 0xff, token & 0xff];
    return length >= 1 && length <= bytesPerToken ? part.slice(0, length) : [0xef, 0xbf, 0xbd];
  });
  return Buffer.from(bytes).toString('utf8');
}

/** How many tokens a text has. */
export function countTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text, 'utf8') / bytesPerToken);
}
