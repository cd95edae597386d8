import { conditionOf } from "./conditions";
import type { Container, ContainerState, ContainerStatus, Pod, Workload } from "./kinds";
import { at, numberAt, textAt, type KubeObject, type Tone } from "./object";

/** The word of Kubernetes for how an object is, why, and how it reads. */
export interface Status {
  word: string;
  reason: string;
  tone: Tone;
}

/** Whether an init container is a sidecar: it runs beside the others until the pod ends. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

function endedText(ended: NonNullable<ContainerState["terminated"]>, prefix: string): string {
  if (ended.reason) return prefix + ended.reason;
  return ended.signal ? `${prefix}Signal:${ended.signal}` : `${prefix}ExitCode:${ended.exitCode}`;
}

function initWord(pod: Pod): string {
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const { terminated, waiting } = status.state ?? {};
    if (terminated && terminated.exitCode === 0) continue;
    if (sidecars.has(status.name) && status.started) continue;
    if (terminated) return endedText(terminated, "Init:");
    if (waiting?.reason && waiting.reason !== "PodInitializing") return `Init:${waiting.reason}`;
    return `Init:${index}/${pod.spec.initContainers?.length ?? 0}`;
  }
  return "";
}

function containersWord(pod: Pod, otherwise: string): string {
  let word = otherwise;
  let running = false;
  for (const { state, ready } of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    if (state?.waiting?.reason) word = state.waiting.reason;
    else if (state?.terminated) word = endedText(state.terminated, "");
    else if (ready && state?.running) running = true;
  }
  if (running && word === "Completed")
    word = conditionOf(pod, "Ready")?.status === "True" ? "Running" : "NotReady";
  return word;
}

/** A pod's STATUS as `kubectl get pods` shows it: Running, CrashLoopBackOff, Init:0/1, Terminating. */
export function podWord(pod: Pod): string {
  const { phase, reason } = pod.status ?? {};
  const gated = conditionOf(pod, "PodScheduled")?.reason === "SchedulingGated";
  const first = gated ? "SchedulingGated" : (reason ?? phase ?? "");
  const init = initWord(pod);
  const done = !init || conditionOf(pod, "Initialized")?.status === "True";
  const word = done ? containersWord(pod, init || first) : init;
  if (pod.metadata.deletionTimestamp === undefined) return word;
  if (reason === "NodeLost") return "Unknown";
  return phase === "Succeeded" || phase === "Failed" ? word : "Terminating";
}

const UNDER_WAY = new Set([
  "Pending",
  "ContainerCreating",
  "PodInitializing",
  "Terminating",
  "SchedulingGated",
]);

function podTone(pod: Pod, word: string): Tone {
  if (word === "Completed" || word === "Succeeded") return "idle";
  if (word === "Running") return conditionOf(pod, "Ready")?.status === "True" ? "ok" : "change";
  if (conditionOf(pod, "PodScheduled")?.reason === "Unschedulable") return "trouble";
  return UNDER_WAY.has(word) || /^Init:\d+\/\d+$/.test(word) ? "change" : "trouble";
}

function firstMessage(statuses: readonly ContainerStatus[]): string {
  for (const { state } of statuses) {
    if (state?.waiting?.message) return state.waiting.message;
    if (state?.terminated?.message && state.terminated.exitCode !== 0) return state.terminated.message;
  }
  return "";
}

/** How a pod is. */
export function podStatus(pod: Pod): Status {
  const word = podWord(pod);
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const unplaced = conditionOf(pod, "PodScheduled");
  const waits = unplaced?.status === "False" ? unplaced.message : undefined;
  return { word, reason: waits ?? (pod.status?.message || firstMessage(statuses)), tone: podTone(pod, word) };
}

/** How many replicas a workload wants, has, has ready and has of the newest template. */
export function replicasOf(workload: Workload): {
  wanted: number;
  have: number;
  ready: number;
  updated: number;
} {
  const status = workload.status ?? {};
  if (workload.kind === "DaemonSet")
    return {
      wanted: status.desiredNumberScheduled ?? 0,
      have: status.currentNumberScheduled ?? 0,
      ready: status.numberReady ?? 0,
      updated: status.updatedNumberScheduled ?? 0,
    };
  const { replicas = 0, readyReplicas = 0, updatedReplicas = 0 } = status;
  return {
    wanted: workload.spec.replicas ?? 1,
    have: replicas,
    ready: readyReplicas,
    updated: updatedReplicas,
  };
}

function workloadStatus(workload: Workload): Status {
  const { wanted, have, ready, updated } = replicasOf(workload);
  const seen = workload.status?.observedGeneration ?? 0;
  const stuck = conditionOf(workload, "Progressing");
  const failure = conditionOf(workload, "ReplicaFailure");
  if (failure?.status === "True")
    return { word: "ReplicaFailure", reason: failure.message ?? "", tone: "trouble" };
  if (stuck?.status === "False")
    return { word: stuck.reason ?? "Stuck", reason: stuck.message ?? "", tone: "trouble" };
  if (seen < (workload.metadata.generation ?? 0))
    return { word: "Progressing", reason: "not seen yet", tone: "change" };
  if (workload.spec.paused) return { word: "Paused", reason: "its rollout is paused", tone: "change" };
  const reason = `${ready} of ${wanted} ready`;
  const rolls = workload.kind !== "ReplicaSet" && updated < wanted;
  if (rolls || have > wanted)
    return { word: "Progressing", reason: `${updated} of ${wanted} updated`, tone: "change" };
  if (wanted === 0) return { word: "Scaled to 0", reason: "no replica is wanted", tone: "idle" };
  if (ready < wanted) return { word: ready ? "Degraded" : "Unavailable", reason, tone: "trouble" };
  return { word: "Available", reason, tone: "ok" };
}

function jobStatus(job: KubeObject): Status {
  const failed = conditionOf(job, "Failed");
  if (failed?.status === "True") return { word: "Failed", reason: failed.message ?? "", tone: "trouble" };
  if (conditionOf(job, "Complete")?.status === "True") return { word: "Complete", reason: "", tone: "idle" };
  if (conditionOf(job, "Suspended")?.status === "True")
    return { word: "Suspended", reason: "", tone: "idle" };
  return { word: "Running", reason: `${numberAt(job, ["status", "active"])} active`, tone: "change" };
}

function nodeStatus(node: KubeObject): Status {
  const ready = conditionOf(node, "Ready");
  const well = ready?.status === "True";
  const cordoned = at(node, "spec", "unschedulable") === true;
  if (!well)
    return { word: "Unhealthy (NotReady)", reason: ready?.message ?? "it never reported", tone: "trouble" };
  if (cordoned) return { word: "Healthy (SchedulingDisabled)", reason: "cordoned", tone: "change" };
  return { word: "Healthy", reason: ready.reason ?? "", tone: "ok" };
}

const PHASES: Record<string, Tone> = {
  Active: "ok",
  Bound: "ok",
  Available: "idle",
  Released: "change",
  Pending: "change",
  Terminating: "change",
  Failed: "trouble",
  Lost: "trouble",
};

function otherStatus(object: KubeObject): Status {
  const phase = textAt(object, "status", "phase");
  if (phase)
    return { word: phase, reason: textAt(object, "status", "message"), tone: PHASES[phase] ?? "idle" };
  const ready = conditionOf(object, "Ready") ?? conditionOf(object, "Established");
  if (!ready) return { word: "", reason: "", tone: "idle" };
  const well = ready.status === "True";
  return {
    word: well ? ready.type : `Not ${ready.type}`,
    reason: ready.message ?? "",
    tone: well ? "ok" : "trouble",
  };
}

/** How an object of any kind is; the word is empty of what has no status. */
export function statusOf(object: KubeObject): Status {
  if (object.kind === "Pod") return podStatus(object as Pod);
  if (object.metadata.deletionTimestamp !== undefined) {
    const held = object.metadata.finalizers?.join(", ");
    return { word: "Terminating", reason: held ? `held by ${held}` : "", tone: "change" };
  }
  switch (object.kind) {
    case "Deployment":
    case "ReplicaSet":
    case "StatefulSet":
    case "DaemonSet":
      return workloadStatus(object as Workload);
    case "Job":
      return jobStatus(object);
    case "Node":
      return nodeStatus(object);
    default:
      return otherStatus(object);
  }
}
