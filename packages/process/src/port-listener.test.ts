import { describe, expect, it } from 'vitest';
import { parseListeners } from './port-listener.ts';

/** Linux 6.1: a listener, a connection of it, another listener. */
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:5208 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1214209 1 00000000d2581b22 100 0 0 10 0
   1: 0100007F:5208 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1214300 1 00000000d2581b23 20 4 30 10 -1
   2: 00000000:49F3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 996659 1 00000000a3699657 100 0 0 10 0
`;
const TABLE_6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:5208 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0000000000000000 100 0 0 10 0
`;

describe('parseListeners', () => {
  it('names the sockets that listen on a port, not those that are connected to it', () => {
    expect(parseListeners(TABLE, 21_000)).toEqual(['1214209']);
    expect(parseListeners(TABLE_6, 21_000)).toEqual(['777']);
  });

  it('finds none where nobody listens', () => {
    expect(parseListeners(TABLE, 21_001)).toEqual([]);
    expect(parseListeners('', 21_000)).toEqual([]);
  });
});
