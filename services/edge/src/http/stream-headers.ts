import { hasHeader, linesOf } from './header-lines.ts';

/** Reverse proxies buffer or compress event streams unless told not to; vLLM itself says nothing (0.32.0, measured). */
const UNBUFFERED = [
  ['cache-control', 'no-cache, no-transform'],
  ['x-accel-buffering', 'no'],
] as const;

/** Header lines of an event stream, with those that keep proxies from holding it back where there are none yet. */
export function withStreamHeaders(headers: string): string {
  let all = headers;
  for (const header of UNBUFFERED) if (!hasHeader(headers, header[0])) all += linesOf(header);
  return all;
}
