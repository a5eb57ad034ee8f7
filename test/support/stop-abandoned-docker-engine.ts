import { stopAbandonedDockerEngine } from './docker-engine.ts';

// The engine is found by TMPDIR.
await stopAbandonedDockerEngine();
