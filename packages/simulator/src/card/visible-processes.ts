import { readdirSync, readFileSync } from 'node:fs';
import { ownPidNamespace, startTicks } from './process-identity.ts';

/** A process as it registered itself on the card, in the terms of its own PID namespace. */
export interface RegisteredProcess {
  containerId: string | null;
  pid: number;
  pidNamespace: string;
  startTicks: string;
}

/**
 * Translates process ids into the caller's PID namespace; undefined for a process that is not visible in it. The real kernel driver
 * does this for nvidia-smi (open-gpu-kernel-modules, `_gpuConvertPid`), so a container without `PidMode: host` sees no neighbours.
 */
export function createPidTranslator(): (registered: RegisteredProcess) => number | undefined {
  const ownNamespace = ownPidNamespace();
  let visible: VisibleProcess[] | undefined;
  return (registered) => {
    if (registered.pidNamespace === ownNamespace) return registered.pid;
    visible ??= readNestedProcesses();
    return visible.find((candidate) => isSame(candidate, registered))?.pid;
  };
}

interface VisibleProcess {
  pid: number;
  innerPid: number;
  startTicks: string;
  cgroup: string;
}

function isSame(candidate: VisibleProcess, registered: RegisteredProcess): boolean {
  if (candidate.innerPid !== registered.pid || candidate.startTicks !== registered.startTicks) return false;
  return registered.containerId === null || candidate.cgroup.includes(registered.containerId);
}

/** All processes that live in a PID namespace below the caller's. Everything read here is open to every user. */
function readNestedProcesses(): VisibleProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readNested(Number(name)));
}

function readNested(pid: number): VisibleProcess[] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const pids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    if (pids.length < 2) return [];
    const ticks = startTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return [{ pid, innerPid: Number(pids.at(-1)), startTicks: ticks, cgroup: readFileSync(`/proc/${pid}/cgroup`, 'utf8') }];
  } catch {
    // Gone between listing and reading.
    return [];
  }
}
