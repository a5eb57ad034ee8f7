import type { Catalog, ProtocolSettings } from '@berth/config';
import type { EdgeSession } from '@berth/core';
import type { ApiAccess } from '../keys/api-access.ts';
import type { EndpointWaits } from '../placement/endpoint-waits.ts';
import type { PlacementWatch } from '../placement/placement-watch.ts';
import type { EdgeLogger } from '../telemetry/edge-logger.ts';
import type { EdgeMetrics } from '../telemetry/edge-metrics.ts';
import type { RequestLog } from '../telemetry/request-log.ts';
import type { Upstreams } from '../upstream/upstreams.ts';

/** What the request path is made of; lives as long as the edge. */
export interface EngineProxyParts {
  readonly keys: ApiAccess;
  readonly catalog: Catalog;
  readonly session: EdgeSession;
  readonly upstreams: Upstreams;
  readonly waits: EndpointWaits;
  readonly watch: PlacementWatch;
  readonly protocol: ProtocolSettings;
  /** Before the second and the third attempt, when an endpoint could not be reached. */
  readonly retryPausesMs: readonly number[];
  readonly logger: EdgeLogger;
  readonly metrics: EdgeMetrics;
  readonly requestLog: RequestLog;
  readonly nowMs: () => number;
  readonly newRequestId: () => string;
}
