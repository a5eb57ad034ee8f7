import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { RawSocket } from './raw-socket.ts';
import { waitUntil } from './wait-until.ts';

/** A TCP server that stands where an engine would; a test writes its every byte. */
export class RawEngine implements AsyncDisposable {
  readonly url: string;
  /** In order of arrival, closed ones too. */
  readonly connections: RawSocket[] = [];
  readonly #server: Server;

  private constructor(server: Server, onConnection: (connection: RawSocket) => void) {
    this.#server = server;
    const { address, family, port } = server.address() as AddressInfo;
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
    server.on('connection', (socket) => {
      const connection = new RawSocket(socket);
      this.connections.push(connection);
      onConnection(connection);
    });
  }

  static async start(onConnection: (connection: RawSocket) => void = () => undefined, host = '127.0.0.1'): Promise<RawEngine> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, host);
    await once(server, 'listening');
    return new RawEngine(server, onConnection);
  }

  /** An engine that sends these bytes for every request, and then does this. */
  static answering(answer: string | Uint8Array, then: (connection: RawSocket) => void = () => undefined): Promise<RawEngine> {
    return RawEngine.start((connection) => void answerAll(connection, answer, then));
  }

  /** The connection with this number, from 0, once it is there. */
  async connection(index = 0): Promise<RawSocket> {
    await waitUntil(`connection ${index} to the engine`, () => this.connections.length > index, 20_000);
    const connection = this.connections[index];
    if (connection === undefined) throw new Error('no connection');
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection[Symbol.dispose]();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function answerAll(connection: RawSocket, answer: string | Uint8Array, then: (connection: RawSocket) => void): Promise<void> {
  for (;;) {
    try {
      await connection.message();
    } catch {
      return;
    }
    connection.write(answer);
    then(connection);
  }
}
