import type { Catalog } from '@berth/config';
import type { EdgeLogger } from '../telemetry/edge-logger.ts';
import { ADMIN_CLOSED } from './admin-gate.ts';

/** Says once, at start, what nobody should have to find out: that the API is open, or that nobody may use the admin API. */
export function logAccess(logger: EdgeLogger, { keys, adminKeys }: Pick<Catalog, 'keys' | 'adminKeys'>, host: string): void {
  if (keys.length === 0 && isLoopback(host)) logger.info({ host }, 'api opened without keys');
  if (keys.length === 0 && !isLoopback(host)) logger.warn({ host }, 'api opened to the network without keys');
  if (keys.length > 0 && adminKeys.length === 0) logger.warn({ remedy: ADMIN_CLOSED }, 'admin api closed');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || host.startsWith('127.');
}
