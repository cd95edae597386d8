/** Why a pod does not serve, as the end of a sentence that begins with how many pods. */

import { conditionOf, type Tone } from "../kube/conditions";
import type { ContainerStatus, Pod } from "../kube/kinds";
import type { KubeObject } from "../kube/object";

/** A reason. `rank` orders reasons: what causes stands before what follows from it. */
export interface PodReason {
  text: string;
  tone: Tone;
  rank: number;
}

const WAITING: Record<string, string> = {
  CrashLoopBackOff: "crashed again and again",
  ImagePullBackOff: "cannot pull the image",
  ErrImagePull: "cannot pull the image",
  ErrImageNeverPull: "lacks an image that may not be pulled",
  CreateContainerConfigError: "cannot be configured",
  CreateContainerError: "cannot create a container",
  RunContainerError: "cannot start a container",
};

/** Why the pod is not ready; null for a pod that is, or that has ended as it should. */
export function podReason(pod: Pod, nodes: readonly KubeObject[]): PodReason | null {
  if (pod.metadata.deletionTimestamp) return null;
  if (conditionOf(pod, "Ready")?.status === "True") return null;
  const { status, spec } = pod;
  if (status?.phase === "Succeeded") return null;
  const node = nodes.find((each) => each.metadata.name === spec.nodeName);
  if (node && conditionOf(node, "Ready")?.status !== "True")
    return { text: `on ${node.metadata.name}, which is NotReady`, tone: "trouble", rank: 0 };
  if (status?.phase === "Failed")
    return { text: `failed${status.reason ? ` (${status.reason})` : ""}`, tone: "trouble", rank: 1 };
  const scheduled = conditionOf(pod, "PodScheduled");
  if (scheduled?.status === "False")
    return { text: `waiting for a node: ${clipped(scheduled.message ?? "")}`, tone: "trouble", rank: 1 };
  return containerReason(pod) ?? { text: "starting", tone: "change", rank: 4 };
}

function containerReason(pod: Pod): PodReason | null {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const status of statuses) {
    const reason = status.state?.waiting?.reason ?? "";
    const words = WAITING[reason];
    if (words) return { text: `${words}: ${detail(status, reason)}`, tone: "trouble", rank: 2 };
  }
  const ended = statuses.find((status) => (status.state?.terminated?.exitCode ?? 0) !== 0);
  if (ended) return { text: `restarting: ${exitText(ended)}`, tone: "trouble", rank: 2 };
  const unready = statuses.find(
    (status) => status.state?.running && !status.ready && status.started !== false,
  );
  if (!unready) return null;
  const container = pod.spec.containers.find((each) => each.name === unready.name);
  const probed = container?.readinessProbe ? "its readiness probe has not succeeded" : "not ready";
  return { text: `running, but ${probed}`, tone: "change", rank: 3 };
}

function detail(status: ContainerStatus, reason: string): string {
  if (reason === "CrashLoopBackOff") return exitText(status);
  if (reason.includes("Image")) return status.image ?? reason;
  return clipped(status.state?.waiting?.message ?? reason);
}

function exitText(status: ContainerStatus): string {
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  if (!ended) return `container ${status.name}`;
  const word = ended.reason && ended.reason !== "Error" ? ` (${ended.reason})` : "";
  return `container ${status.name} ended with ${ended.exitCode}${word}`;
}

function clipped(text: string): string {
  const [first = ""] = text.split(/(?<=\.) /);
  const short = first.replace(/\.$/, "");
  return short.length > 140 ? `${short.slice(0, 139)}…` : short;
}
