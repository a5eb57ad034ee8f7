import { describe, expect, it } from 'vitest';
import { formatIpv4, parseIpv4Block } from './ipv4.ts';
import { pickAddress } from './pick-address.ts';

const plan = { subnet: '10.213.0.0/20', ipRange: '10.213.0.0/24', gateway: '10.213.0.1' };
const none = new Set<string>();

describe('IPv4 blocks', () => {
  it.each([
    ['10.213.0.0/20', '10.213.0.0', 4096],
    ['10.213.7.9/20', '10.213.0.0', 4096],
    ['192.168.1.77/32', '192.168.1.77', 1],
  ])('reads %s', (text, first, size) => {
    const block = parseIpv4Block(text);
    expect(block === null ? null : { first: formatIpv4(block.first), size: block.size }).toEqual({ first, size });
  });

  it.each(['', '10.0.0.0', '10.0.0.0/33', '10.0.0/8', '10.0.0.256/8', 'fd00::/64', '10.0.0.0/x'])('refuses %j', (text) => {
    expect(parseIpv4Block(text)).toBeNull();
  });
});

describe('pickAddress', () => {
  it('stays outside the range that Docker gives out and away from the gateway', () => {
    for (let second = 0; second < 5000; second += 1) {
      const address = pickAddress(plan, none, second * 1000) ?? '';
      expect(address).toMatch(/^10\.213\.([1-9]|1[0-5])\.\d+$/);
      expect(address).not.toBe('10.213.15.255');
    }
  });

  it('comes back to an address only when all others had their turn', () => {
    const start = 1_780_000_000_000;
    const picked = Array.from({ length: 3839 }, (_, second) => pickAddress(plan, none, start + second * 1000));
    expect(new Set(picked).size).toBe(3839);
  });

  it('takes the next one when one is taken, and wraps at the end of the subnet', () => {
    const small = { subnet: '10.0.0.0/29', ipRange: null, gateway: '10.0.0.1' };
    const taken = new Set<string>();
    const order = Array.from({ length: 6 }, () => {
      const address = pickAddress(small, taken, 3000);
      if (address !== null) taken.add(address);
      return address;
    });
    expect(order).toEqual(['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.2', '10.0.0.3', null]);
  });

  it('gives none on a network without an IPv4 subnet', () => {
    expect(pickAddress({ subnet: null, ipRange: null, gateway: null }, none, 0)).toBeNull();
  });
});
