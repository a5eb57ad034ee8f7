import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

/** An image registry on this machine that serves one small image. */
export interface TestRegistry extends AsyncDisposable {
  /** Reference by which a Docker engine of this machine pulls it. */
  readonly image: string;
  /** From now on layers are sent to half and then no further. */
  stall(): void;
}

/** Speaks as much of the OCI distribution protocol as a pull needs; Docker asks registries on 127.0.0.1 without TLS. */
export async function startRegistry(): Promise<TestRegistry> {
  let stalled = false;
  const layers = [1, 2, 3].map((number) => {
    const tar = tarOf(`file-${number}`, randomBytes(400_000));
    return { diffId: digestOf(tar), blob: gzipSync(tar, { level: 1 }) };
  });
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: describe('application/vnd.docker.container.image.v1+json', config),
      layers: layers.map(({ blob }) => describe('application/vnd.docker.image.rootfs.diff.tar.gzip', blob)),
    }),
  );
  const blobs = new Map([config, ...layers.map(({ blob }) => blob)].map((blob) => [digestOf(blob), blob]));

  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const blob = blobs.get(path.split('/blobs/')[1] ?? '');
    if (path === '/v2/') response.end('{}');
    else if (/^\/v2\/test\/image\/manifests\/(1|sha256:.*)$/.test(path)) {
      response.setHeader('content-type', 'application/vnd.docker.distribution.manifest.v2+json');
      response.setHeader('content-length', manifest.length);
      response.setHeader('docker-content-digest', digestOf(manifest));
      response.end(request.method === 'HEAD' ? undefined : manifest);
    } else if (blob !== undefined) {
      response.setHeader('content-length', blob.length);
      if (stalled && blob !== config) response.write(blob.subarray(0, blob.length / 2));
      else response.end(blob);
    } else {
      response.statusCode = 404;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    image: `127.0.0.1:${(server.address() as AddressInfo).port}/test/image:1`,
    stall() {
      stalled = true;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function describe(mediaType: string, blob: Buffer) {
  return { mediaType, size: blob.length, digest: digestOf(blob) };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A tar archive of one file (POSIX ustar). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148); // the sum counts itself as blanks
  header.write('0', 156);
  header.write('ustar\u000000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
