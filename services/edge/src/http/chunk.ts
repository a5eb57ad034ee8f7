/** One chunk of the chunked transfer coding (RFC 9112 §7.1) in one piece of memory, so that it goes out in one write. */
export function chunkOf(bytes: Buffer | string): Buffer {
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const size = `${data.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(size.length + data.length + 2);
  chunk.write(size, 0, 'latin1');
  data.copy(chunk, size.length);
  chunk.write('\r\n', size.length + data.length, 'latin1');
  return chunk;
}
