/** A block of IPv4 addresses: `first` to `first + size - 1`, as numbers. */
export interface Ipv4Block {
  readonly first: number;
  readonly size: number;
}

/** Reads `10.0.0.0/20`; host bits are dropped. `null` for other text, IPv6 too. */
export function parseIpv4Block(text: string): Ipv4Block | null {
  const [addressText = '', prefixText = ''] = text.split('/');
  const address = parseIpv4(addressText);
  const prefix = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : -1;
  if (address === null || prefix < 0 || prefix > 32) return null;
  const size = 2 ** (32 - prefix);
  return { first: address - (address % size), size };
}

/** `null` for anything but four numbers up to 255. */
export function parseIpv4(text: string): number | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
