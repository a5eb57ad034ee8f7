export const usage = `berth: one OpenAI-compatible URL in front of many vLLM models that share few GPUs

  berth up                        everything on this machine: Redis, orchestrator, edge (what npm start runs)
  berth edge [--workers N]        one edge replica, or N in processes of their own behind one port (auto: one per core)
  berth orchestrator              the orchestrator of this GPU host
  berth status [--json]           GPUs, endpoints, placements
  berth stop MODEL [--force]      stops a model's endpoint once nothing is in flight on it (--force: at once)
  berth stop --all [--force]      stops every endpoint and frees the GPUs
  berth check [FILE]              validates a catalog

status and stop talk to the edge at --url, else at BERTH_HOST and BERTH_PORT, with the key in BERTH_ADMIN_KEY if the catalog has keys.

Environment: BERTH_CONFIG (catalog, ./berth.yaml), BERTH_HOST (127.0.0.1), BERTH_PORT (8000), BERTH_REDIS_URL,
BERTH_FOOTPRINTS_FILE. README.md lists all.`;
