import { endpointRecord } from '@berth/contracts';
import type { Generation, ModelName } from '@berth/core';
import type { EdgeReport, SyncAnswer } from '../scripts/sync-edge.ts';
import { Lease } from './lease.ts';

type LeaseAnswer = SyncAnswer['leases'][number];

/** A lease as it was when it was reported. */
export interface ReportedLease {
  readonly lease: Lease;
  readonly hints: number;
  readonly usedAt: number;
}

export interface LeaseTableOptions {
  /** How long after its report was sent a lease is valid. */
  readonly validMs: number;
  /** How much longer requests begin while Redis is away; not on engines without a counter. */
  readonly degradedMs: number;
  /** A lease is blocked, idle, and waits for its sockets to be closed. */
  readonly onDrained: (lease: Lease) => void;
  /** A lease ended at once. */
  readonly onGone: (lease: Lease) => void;
}

/** All leases of this replica, and how each answer of Redis changes them. */
export class LeaseTable {
  readonly #options: LeaseTableOptions;
  readonly #byGeneration = new Map<Generation, Lease>();
  /** The lease new requests of a model go to: on the newest generation granted. */
  readonly #current = new Map<ModelName, Lease>();

  constructor(options: LeaseTableOptions) {
    this.#options = options;
  }

  get(generation: Generation): Lease | undefined {
    return this.#byGeneration.get(generation);
  }

  all(): Iterable<Lease> {
    return this.#byGeneration.values();
  }

  /** The lease on which a request of the model may begin now. `away`: Redis does not answer. */
  usable(model: ModelName, now: number, away: boolean): Lease | null {
    const lease = this.#current.get(model);
    if (lease === undefined || !lease.open || lease.closing || lease.suspected) return null;
    if (now < lease.validUntil) return lease;
    return (away || lease.uncertain) && now < this.#graceUntil(lease) ? lease : null;
  }

  /** Redis was out of reach: what it does not know any more may be lost rather than gone. */
  doubtAll(): void {
    for (const lease of this.#byGeneration.values()) lease.uncertain = true;
  }

  /** Blocks a lease because a drain was announced. */
  block(lease: Lease): void {
    lease.open = false;
    lease.hints += 1;
    this.settleDrain(lease);
  }

  /** Begins to close the sockets of a blocked lease with nothing in flight. */
  settleDrain(lease: Lease): void {
    if (lease.open || lease.closing || lease.closed || lease.inFlight > 0) return;
    lease.closing = true;
    this.#options.onDrained(lease);
  }

  /** The rows of a report, and the leases that they stand for. */
  report(now: number): { readonly rows: EdgeReport['leases']; readonly reported: readonly ReportedLease[] } {
    const reported = [...this.#byGeneration.values()].map((lease) => ({ lease, hints: lease.hints, usedAt: lease.lastUsedAt }));
    const rows = reported.map(({ lease }) => {
      const released = !lease.open && lease.closed && lease.inFlight === 0 ? (1 as const) : (0 as const);
      return [lease.generation, lease.inFlight, released, idleMs(lease, now)] as const;
    });
    return { rows, reported };
  }

  /** Takes one answer in. `sentAt`: when the report was sent. True when the next report should follow at once. */
  apply({ lease, hints, usedAt }: ReportedLease, answer: LeaseAnswer, sentAt: number, registryId: string): boolean {
    lease.reportedUseAt = usedAt;
    switch (answer) {
      case 'ok':
        lease.validUntil = Math.max(lease.validUntil, sentAt + this.#options.validMs);
        lease.suspected = false;
        confirm(lease, registryId);
        return this.#reopen(lease, hints);
      case 'drain':
        confirm(lease, registryId);
        lease.open = false;
        this.settleDrain(lease);
        break;
      case 'released':
        this.#drop(lease);
        break;
      case 'gone':
        this.#end(lease);
        break;
      case 'missing':
        if (!lease.uncertain && lease.registryId === registryId) this.#end(lease);
        else this.#keepUncertain(lease);
        break;
      case 'unknown':
        this.#keepUncertain(lease);
        break;
    }
    return false;
  }

  /** Redis granted a lease on the endpoint of this record. */
  grant(record: string, now: number, sentAt: number, registryId: string): void {
    const endpoint = endpointRecord.read(record);
    if (endpoint.state !== 'ready') return;
    const lease = this.#byGeneration.get(endpoint.generation);
    if (lease === undefined) {
      const granted = new Lease(endpoint, now, sentAt + this.#options.validMs, registryId);
      this.#byGeneration.set(endpoint.generation, granted);
      this.#current.set(endpoint.model, granted);
    } else {
      this.#current.set(endpoint.model, lease);
    }
  }

  /** The endpoint serves on, unless a hint has said otherwise since the report was sent. */
  #reopen(lease: Lease, hints: number): boolean {
    if (lease.open) return false;
    if (lease.hints !== hints || lease.closing) return true;
    lease.open = true;
    lease.closed = false;
    return false;
  }

  #keepUncertain(lease: Lease): void {
    lease.uncertain = true;
    if (performance.now() < this.#graceUntil(lease)) return;
    lease.open = false;
    if (lease.closed && lease.inFlight === 0) this.#drop(lease);
    else this.settleDrain(lease);
  }

  #end(lease: Lease): void {
    this.#drop(lease);
    lease.abandon();
    this.#options.onGone(lease);
  }

  #drop(lease: Lease): void {
    lease.open = false;
    lease.closed = true;
    this.#byGeneration.delete(lease.generation);
    if (this.#current.get(lease.endpoint.model) === lease) this.#current.delete(lease.endpoint.model);
  }

  #graceUntil(lease: Lease): number {
    return lease.validUntil + (lease.endpoint.hasCounter ? this.#options.degradedMs : 0);
  }
}

/** Ms since the last use; 0 while busy, -1 when nothing changed since the last report. */
function idleMs(lease: Lease, now: number): number {
  if (lease.inFlight > 0) return 0;
  return lease.lastUsedAt > lease.reportedUseAt ? Math.max(0, Math.round(now - lease.lastUsedAt)) : -1;
}

/** Redis knows the endpoint of this lease. */
function confirm(lease: Lease, registryId: string): void {
  lease.uncertain = false;
  lease.registryId = registryId;
}
