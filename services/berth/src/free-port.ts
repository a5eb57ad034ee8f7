import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { OperationalError } from '@berth/core';

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      // listen on a TCP port has an address of this kind.
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Throws `PORT_TAKEN`, naming the variable that chooses another port, when something listens there (or the address is not this machine's). */
export async function requireFreePort(address: { readonly host: string; readonly port: number }): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.on('error', (cause: NodeJS.ErrnoException) => reject(explain(cause, address)));
    server.listen(address.port, address.host, () => server.close(() => resolve()));
  });
}

function explain(cause: NodeJS.ErrnoException, { host, port }: { readonly host: string; readonly port: number }): OperationalError {
  if (cause.code === 'EADDRINUSE') {
    const message = `Port ${port} on ${host} is taken by another program. Choose another one, for example: BERTH_PORT=${port + 1} npm start`;
    return new OperationalError({ code: 'PORT_TAKEN', retryable: false, message, cause });
  }
  const message = `Berth cannot listen on ${host} port ${port}: ${cause.message}. Check BERTH_HOST and BERTH_PORT.`;
  return new OperationalError({ code: 'INVALID_SETTINGS', retryable: false, message, cause });
}
