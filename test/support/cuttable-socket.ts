import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A unix socket in front of another, whose connections a test can cut. */
export interface CuttableSocket extends AsyncDisposable {
  readonly path: string;
  /** Ends every connection and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
}

export async function openCuttableSocket(target: string): Promise<CuttableSocket> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-socket-'));
  const path = join(directory, 'socket');
  const open = new Set<Socket>();
  let isCut = false;
  const server = createServer((incoming) => {
    if (isCut) {
      incoming.destroy();
      return;
    }
    const outgoing = connect(target);
    for (const socket of [incoming, outgoing]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        incoming.destroy();
        outgoing.destroy();
      });
    }
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const endAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    path,
    cut() {
      isCut = true;
      endAll();
    },
    mend() {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      endAll();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true });
    },
  };
}
