import { readFile, readdir, readlink } from 'node:fs/promises';
import { isFileError } from './run-directory.ts';

/** `TCP_LISTEN` in Linux' `/proc/net/tcp` (proc(5)). */
const LISTENING = '0A';

/**
 * Whether a program other than these processes listens on a port of this machine. An engine may bind its port a minute before it listens
 * there (vLLM 0.32.0, measured), and until then the kernel lets another program that sets SO_REUSEADDR bind it too and listen first:
 * what answers on an engine's port need not be the engine. False where that cannot be told: without `/proc`, or when a process keeps its
 * files to itself.
 */
export async function isHeldByStranger(port: number, pids: readonly number[]): Promise<boolean> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readIfThere(path)));
  const sockets = new Set(tables.flatMap((table) => parseListeners(table, port)));
  if (sockets.size === 0) return false;
  for (const pid of pids) if ((await holdsAny(pid, sockets)) !== false) return false;
  return true;
}

/** Inodes of the sockets that listen on a port, in the text of `/proc/net/tcp` or `tcp6`. */
export function parseListeners(table: string, port: number): readonly string[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    const listens = state === LISTENING && Number.parseInt(local.split(':')[1] ?? '', 16) === port;
    return listens && inode !== undefined ? [inode] : [];
  });
}

/** `null` when its files are not shown to this user. */
async function holdsAny(pid: number, sockets: ReadonlySet<string>): Promise<boolean | null> {
  const directory = `/proc/${pid}/fd`;
  try {
    for (const name of await readdir(directory)) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readLinkIfThere(`${directory}/${name}`))?.[1];
      if (inode !== undefined && sockets.has(inode)) return true;
    }
    return false;
  } catch (error) {
    if (isFileError(error, 'EACCES') || isFileError(error, 'EPERM')) return null;
    if (isFileError(error, 'ENOENT') || isFileError(error, 'ESRCH')) return false; // it ended meanwhile
    throw error;
  }
}

async function readLinkIfThere(path: string): Promise<string> {
  try {
    return await readlink(path);
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return ''; // closed meanwhile
    throw error;
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return ''; // not Linux, or no IPv6
    throw error;
  }
}
