import { environmentFields, parseDuration, parseEnvironment, type Reach } from '@berth/config';
import type { Secret } from '@berth/config';
import type { LogLevel } from '@berth/telemetry';
import { z } from 'zod';

/** The orchestrator's own settings. What concerns models and the host stands in the catalog. */
export interface OrchestratorSettings {
  readonly redisUrl: Secret;
  /** `null`: `./berth.yaml`. */
  readonly catalogPath: string | null;
  /** Mirror of the learned footprints; its folder also keeps the installation's id. */
  readonly footprintsFile: string;
  /** Begins the names of networks, volumes and containers. */
  readonly installation: string;
  /** How this process reaches engines. */
  readonly reach: Reach;
  /** Of the health server. */
  readonly host: string;
  readonly port: number;
  /** Where the `process` runtime keeps its records and logs. */
  readonly runDirectory: string;
  readonly dockerSocket: string | null;
  /** Where this process sees the Hugging Face cache, when that is not where the catalog says (in a container). */
  readonly huggingfaceHome: string | null;
  /** Path or volume that engines mount as their Hugging Face cache, in place of the catalog's; `null`: the catalog's. */
  readonly huggingfaceCache: string | null;
  /** For one run of nvidia-smi; without persistence mode the first one initialises the driver. */
  readonly nvidiaSmiTimeoutMs: number;
  readonly logLevel: LogLevel;
  /** For `envFrom` and `HF_TOKEN`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const schema = z.object({
  BERTH_REDIS_URL: environmentFields.redisUrl(),
  BERTH_CONFIG: environmentFields.path().optional(),
  BERTH_FOOTPRINTS_FILE: environmentFields.path().default('memory_footprints.json'),
  BERTH_INSTALLATION: environmentFields.installation(),
  BERTH_REACH: environmentFields.reach('address'),
  BERTH_ORCHESTRATOR_HOST: environmentFields.host('127.0.0.1'),
  BERTH_ORCHESTRATOR_PORT: environmentFields.port(9100),
  BERTH_RUN_DIRECTORY: environmentFields.path().default('.berth/run'),
  BERTH_DOCKER_SOCKET: environmentFields.path().optional(),
  BERTH_HF_HOME: environmentFields.path().optional(),
  BERTH_HUGGINGFACE_CACHE: environmentFields.path().optional(),
  BERTH_NVIDIA_SMI_TIMEOUT: z.string().default('15s').transform(parseDuration),
  BERTH_LOG_LEVEL: environmentFields.logLevel(),
});

/** Reads the environment once. Throws `INVALID_SETTINGS` with every problem, by variable. */
export function readOrchestratorSettings(env: Readonly<Record<string, string | undefined>>): OrchestratorSettings {
  const parsed = parseEnvironment(schema, env);
  return {
    redisUrl: parsed.BERTH_REDIS_URL,
    catalogPath: parsed.BERTH_CONFIG ?? null,
    footprintsFile: parsed.BERTH_FOOTPRINTS_FILE,
    installation: parsed.BERTH_INSTALLATION,
    reach: parsed.BERTH_REACH,
    host: parsed.BERTH_ORCHESTRATOR_HOST,
    port: parsed.BERTH_ORCHESTRATOR_PORT,
    runDirectory: parsed.BERTH_RUN_DIRECTORY,
    dockerSocket: parsed.BERTH_DOCKER_SOCKET ?? null,
    huggingfaceHome: parsed.BERTH_HF_HOME ?? null,
    huggingfaceCache: parsed.BERTH_HUGGINGFACE_CACHE ?? null,
    nvidiaSmiTimeoutMs: parsed.BERTH_NVIDIA_SMI_TIMEOUT,
    logLevel: parsed.BERTH_LOG_LEVEL,
    environment: env,
  };
}
