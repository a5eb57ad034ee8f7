/** What a container wrote, told apart. */
export interface DemultiplexedLog {
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams' lines, in the order in which they were completed. */
  readonly lines: readonly string[];
}

const HEADER_BYTES = 8;

/**
 * Reads Docker's log of a container without a terminal: frames of stream number (1 stdout, 2 stderr), three zero bytes, length (32 bit,
 * big endian), text (Docker Engine API, "Stream format"). A line may span frames.
 */
export function readLog(raw: Buffer): DemultiplexedLog {
  const whole: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const pending: Record<'stdout' | 'stderr', Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const lines: string[] = [];
  for (let position = 0; position + HEADER_BYTES <= raw.length;) {
    const stream = raw[position] === 2 ? 'stderr' : 'stdout';
    const end = position + HEADER_BYTES + raw.readUInt32BE(position + 4);
    const text = raw.subarray(position + HEADER_BYTES, end);
    position = end;
    whole[stream].push(text);
    let rest = Buffer.concat([pending[stream], text]);
    for (let newline = rest.indexOf(0x0a); newline !== -1; newline = rest.indexOf(0x0a)) {
      lines.push(asLine(rest.subarray(0, newline)));
      rest = rest.subarray(newline + 1);
    }
    pending[stream] = rest;
  }
  for (const rest of Object.values(pending)) if (rest.length > 0) lines.push(asLine(rest));
  return { stdout: Buffer.concat(whole.stdout).toString('utf8'), stderr: Buffer.concat(whole.stderr).toString('utf8'), lines };
}

function asLine(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r$/, '');
}
