export { createEdgeApp } from './app.ts';
export type { EdgeApp, EdgeAppParts } from './app.ts';
export { LET_IN_PATIENCE_MS, readEdgeSettings, RETRY_PAUSES_MS } from './settings.ts';
export type { EdgeAppSettings, EdgeSettings } from './settings.ts';
export { createEdgeServer } from './server.ts';
export { startEdge } from './start-edge.ts';
export type { RunningEdge } from './start-edge.ts';
export type { EdgeLogger } from './telemetry/edge-logger.ts';
