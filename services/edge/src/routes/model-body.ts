import type { ModelSettings } from '@berth/config';
import type { ModelBody } from '@berth/contracts';
import type { RequestAccess } from '../keys/request-access.ts';
import { discreet, etaSeconds, progressOf } from '../placement/model-progress.ts';
import { liveQuarantine } from '../placement/placement-watch.ts';
import type { PlacementView } from '../placement/placement-watch.ts';

/** `created` has to be something: what clients read as the model's age. The start of this process is when its catalog came into force. */
const CREATED_SECONDS = Math.floor(performance.timeOrigin / 1000);

/** A model in OpenAI's shape, with how far it is; `null`: the registry cannot be read. */
export function modelBody(model: ModelSettings, view: PlacementView | null, access: Pick<RequestAccess, 'mayUse'>): ModelBody {
  return {
    id: model.name,
    object: 'model',
    created: CREATED_SECONDS,
    owned_by: 'berth',
    berth: {
      ...(view === null ? UNKNOWN : howFar(model, view, access)),
      aliases: [...model.aliases],
      engine: model.engine,
      gpus: model.gpus,
      pinned: model.pinned,
    },
  };
}

type HowFar = Pick<
  ModelBody['berth'],
  'state' | 'phase' | 'victims' | 'waitingFor' | 'progress' | 'phaseProgress' | 'etaSeconds' | 'maxModelLen' | 'quarantine'
>;

const UNKNOWN: HowFar = {
  state: 'unknown',
  phase: null,
  victims: [],
  waitingFor: null,
  progress: null,
  phaseProgress: null,
  etaSeconds: null,
  maxModelLen: null,
  quarantine: null,
};

function howFar(model: ModelSettings, view: PlacementView, access: Pick<RequestAccess, 'mayUse'>): HowFar {
  const progress = discreet(progressOf(view, model.name), (other) => access.mayUse(other));
  const quarantine = liveQuarantine(view, model.name);
  const { endpoint, state, phase, victims, waitingFor } = progress;
  return {
    state: quarantine !== null ? 'quarantined' : state,
    phase,
    victims: [...victims],
    waitingFor,
    progress: progress.progress,
    phaseProgress: progress.phaseProgress,
    etaSeconds: etaSeconds(progress),
    maxModelLen: endpoint?.state === 'ready' || endpoint?.state === 'draining' ? endpoint.maxModelLen : null,
    quarantine:
      quarantine === null
        ? null
        : {
            code: quarantine.failure.code,
            message: quarantine.failure.message,
            failures: quarantine.failures,
            retryInSeconds: Math.ceil((quarantine.untilMs - view.registry.nowMs) / 1000),
          },
  };
}
