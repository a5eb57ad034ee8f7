import type { MetricDefinition } from './metric-set.ts';

/**
 * What an edge tells of itself. `model` is a name of the catalog, or `unknown` for a request that named none of it; `route` is a pattern of
 * the allow-list; the other labels have few values, all of them in docs/metrics.md.
 */
export const EDGE_METRICS = {
  requests: {
    name: 'berth_edge_requests_total',
    help: 'Requests that ended, by how: outcome answered, failed, broken or client-left; class of the status; path hot, cold or none',
    labels: ['model', 'route', 'outcome', 'status', 'path'],
  },
  failures: {
    name: 'berth_edge_failures_total',
    help: 'Requests that Berth refused or failed, by error code; limits are QUEUE_FULL, ENDPOINT_FULL, KEY_LIMIT_REACHED, REQUEST_TOO_LARGE',
    labels: ['model', 'code'],
  },
  keyRequests: {
    name: 'berth_edge_key_requests_total',
    help: 'Requests that ended, by the id of their key in the catalog and the class of the status',
    labels: ['key', 'status'],
  },
  tokens: {
    name: 'berth_edge_tokens_total',
    help: 'Tokens that engines reported, kind prompt or completion; an answer without a report, or compressed, counts as none',
    labels: ['model', 'kind'],
  },
  firstByte: {
    name: 'berth_edge_time_to_first_byte_seconds',
    help: 'From the arrival of a request to the first byte of the body of the engine’s answer',
    labels: ['model', 'path'],
  },
  duration: {
    name: 'berth_edge_request_duration_seconds',
    help: 'From the arrival of a request to its end',
    labels: ['model', 'path'],
  },
  inFlight: { name: 'berth_edge_requests_in_flight', help: 'Requests that endpoints have at this moment', labels: ['model'] },
  waiters: { name: 'berth_edge_waiters', help: 'Requests that wait for their model at this moment', labels: ['model'] },
  coldStarts: {
    name: 'berth_edge_cold_starts_total',
    help: 'Endpoints whose start requests of this edge waited for',
    labels: ['model'],
  },
  coldWait: {
    name: 'berth_edge_cold_wait_seconds',
    help: 'How long requests waited that had to: phase queue until the engine was seen to start, place from then on',
    labels: ['model', 'phase'],
  },
  retries: { name: 'berth_edge_retries_total', help: 'Attempts after the first', labels: ['model'] },
  upstreamErrors: {
    name: 'berth_edge_upstream_errors_total',
    help: 'What went wrong with engines: kind unreached, refused, silent, broken, error_frame or status_5xx',
    labels: ['model', 'kind'],
  },
  brokenStreams: {
    name: 'berth_broken_streams_total',
    help: 'Answers that broke off after their first byte, which must not happen: cause engine-exited, engine-silent or endpoint-stopped',
    labels: ['model', 'cause'],
  },
  bytesIn: { name: 'berth_edge_request_bytes_total', help: 'Bytes of request bodies read', labels: ['model'] },
  bytesOut: { name: 'berth_edge_response_bytes_total', help: 'Bytes of answers written', labels: ['model'] },
  leases: {
    name: 'berth_edge_leases',
    help: 'Leases that this edge holds: state open, draining, suspected or uncertain',
    labels: ['state'],
  },
  syncAge: {
    name: 'berth_edge_sync_age_seconds',
    help: 'Age of the last report that Redis answered; missing before the first',
  },
  redisFailing: {
    name: 'berth_edge_redis_failing_seconds',
    help: 'For how long Redis has not answered this edge; 0 while it does',
  },
} as const satisfies Record<string, MetricDefinition>;
