import type { Ipv4Block } from './ipv4.ts';
import { contains, formatIpv4, parseIpv4, parseIpv4Block } from './ipv4.ts';

/** What decides which addresses of a network Berth may give to engines. */
export interface AddressPlan {
  /** `10.0.0.0/20`; `null` where the network has no IPv4 subnet. */
  readonly subnet: string | null;
  /** What Docker gives out by itself. */
  readonly ipRange: string | null;
  readonly gateway: string | null;
}

/**
 * A free address of the subnet outside Docker's own range, the network's first and last and its gateway. The search begins at a place
 * that moves on by one with every second of `atMs`, so an address comes round again only after as many seconds as there are addresses,
 * with nothing to remember across restarts. `null` when none is left or the network has no subnet.
 */
export function pickAddress(plan: AddressPlan, taken: ReadonlySet<string>, atMs: number): string | null {
  const subnet = plan.subnet === null ? null : parseIpv4Block(plan.subnet);
  if (subnet === null) return null;
  const ipRange = plan.ipRange === null ? null : parseIpv4Block(plan.ipRange);
  const gateway = plan.gateway === null ? null : parseIpv4(plan.gateway);
  const free = (address: number): boolean =>
    address !== gateway && !(ipRange !== null && contains(ipRange, address)) && !taken.has(formatIpv4(address));
  const address = searchFrom(Math.floor(atMs / 1000), subnet, free);
  return address === null ? null : formatIpv4(address);
}

function searchFrom(offset: number, subnet: Ipv4Block, isFree: (address: number) => boolean): number | null {
  const usable = subnet.size - 2;
  for (let step = 0; step < usable; step += 1) {
    const address = subnet.first + 1 + ((offset + step) % usable);
    if (isFree(address)) return address;
  }
  return null;
}
