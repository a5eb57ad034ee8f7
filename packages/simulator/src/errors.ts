/** What can go wrong on the simulated host by configuration or environment; anything else is a bug. */
export type SimulatorErrorCode =
  | 'STATE_MISSING'
  | 'STATE_BROKEN'
  | 'GPU_UNKNOWN'
  | 'PROCESS_FAILED'
  | 'TOOL_MISSING'
  | 'DOCKER_ENGINE_FAILED';

/** An expected failure of the simulated host. The package has no dependencies, so it cannot use the error type of `@berth/core`. */
export class SimulatorError extends Error {
  readonly code: SimulatorErrorCode;

  constructor(code: SimulatorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SimulatorError';
    this.code = code;
  }
}
