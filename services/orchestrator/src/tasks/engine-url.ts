import type { EndpointUrls } from '@berth/core';

/** How a process of ours reaches engines: by container name, by bridge address, or by a port of 127.0.0.1. */
export type Reach = keyof EndpointUrls;

/** The URL for this reach, else whichever there is; `null` while the engine has none. */
export function engineUrl(urls: EndpointUrls, reach: Reach): string | null {
  return urls[reach] ?? urls.name ?? urls.address ?? urls.loopback;
}
