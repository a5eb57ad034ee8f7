import type { Ipv4Block } from './ipv4.ts';
import { formatIpv4, parseIpv4, parseIpv4Block } from './ipv4.ts';

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
  const reserved = (plan.ipRange === null ? null : parseIpv4Block(plan.ipRange)) ?? { first: subnet.first, size: 1 };
  const gateway = plan.gateway === null ? null : parseIpv4(plan.gateway);
  const offset = Math.floor(atMs / 1000);
  const count = countUsable(subnet, reserved);
  for (let step = 0; step < count; step += 1) {
    const address = usableAt((offset + step) % count, subnet, reserved);
    if (address !== gateway && !taken.has(formatIpv4(address))) return formatIpv4(address);
  }
  return null;
}

/** Addresses in front of the reserved block, without the network's first. */
function countBefore(subnet: Ipv4Block, reserved: Ipv4Block): number {
  return Math.max(0, reserved.first - subnet.first - 1);
}

function countUsable(subnet: Ipv4Block, reserved: Ipv4Block): number {
  const behind = subnet.first + subnet.size - 1 - (reserved.first + reserved.size);
  return countBefore(subnet, reserved) + Math.max(0, behind);
}

function usableAt(index: number, subnet: Ipv4Block, reserved: Ipv4Block): number {
  const before = countBefore(subnet, reserved);
  return index < before ? subnet.first + 1 + index : reserved.first + reserved.size + (index - before);
}
