/** Which pods leave a node that is tainted, and when: the rule of the taint eviction loop, as a countdown. */

import { span } from "../kube/ages";
import { conditionOf } from "../kube/conditions";
import { flagValue } from "../kube/flags";
import type { Pod, Toleration } from "../kube/kinds";
import { secondsOf, type KubeObject } from "../kube/object";
import { type Taint, taintsOf } from "./status";

export const TOLERATION_FLAG = "apiserver.default-unreachable-toleration-seconds";
export const RATE_FLAG = "controller-manager.node-eviction-rate";

/** When a pod of a tainted node has to leave (seconds since the epoch); null when it may stay. */
export function deadlineOf(pod: Pod, taints: readonly Taint[], now: number): number | null {
  let deadline: number | null = null;
  for (const taint of taints) {
    if (taint.effect !== "NoExecute") continue;
    const toleration = (pod.spec.tolerations ?? []).find((each) => tolerates(each, taint));
    if (!toleration) return now;
    if (toleration.tolerationSeconds === undefined) continue;
    const added = secondsOf(taint.timeAdded) || now;
    const until = Math.max(added, boundAt(pod)) + Math.max(0, toleration.tolerationSeconds);
    deadline = deadline === null ? until : Math.min(deadline, until);
  }
  return deadline;
}

/** Whether a toleration matches a taint: an empty effect or key matches every one, an empty operator is Equal. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  if (!toleration.key || (toleration.operator && toleration.operator !== "Equal")) return false;
  return (toleration.value ?? "") === (taint.value ?? "");
}

function boundAt(pod: Pod): number {
  const scheduled = conditionOf(pod, "PodScheduled")?.lastTransitionTime;
  return secondsOf(scheduled) || secondsOf(pod.metadata.creationTimestamp);
}

/** What happens to the pods of a node that is not well. */
export interface Eviction {
  /** A sentence: "3 pods leave in 3 m 48 s unless the node returns". */
  text: string;
  /** The flag that decides the time. */
  flag: string;
  leaving: Pod[];
  /** Already asked to end. */
  terminating: Pod[];
  staying: Pod[];
  /** When the first leaves, in seconds since the epoch; 0 when none does. */
  at: number;
}

/** What happens to a node's pods; null for a node whose pods are left alone. `others` are all nodes of the cluster. */
export function evictionOf(
  node: KubeObject,
  pods: readonly Pod[],
  others: readonly KubeObject[],
  now: number,
): Eviction | null {
  const here = pods.filter((pod) => pod.spec.nodeName === node.metadata.name && !hasEnded(pod));
  const taints = taintsOf(node).filter((taint) => taint.effect === "NoExecute");
  const silent = conditionOf(node, "Ready")?.status !== "True";
  if (!taints.length) return silent ? untainted(node, here, others) : null;
  const terminating = here.filter((pod) => pod.metadata.deletionTimestamp);
  const deadlines = new Map<Pod, number>();
  for (const pod of here) {
    const deadline = pod.metadata.deletionTimestamp ? null : deadlineOf(pod, taints, now);
    if (deadline !== null) deadlines.set(pod, deadline);
  }
  const leaving = [...deadlines].sort(([, a], [, b]) => a - b).map(([pod]) => pod);
  const staying = here.filter((pod) => !deadlines.has(pod) && !terminating.includes(pod));
  const at = Math.min(...deadlines.values());
  const text = textOf(leaving, terminating, Number.isFinite(at) ? at - now : 0, silent);
  return { text, flag: TOLERATION_FLAG, leaving, terminating, staying, at: Number.isFinite(at) ? at : 0 };
}

function untainted(node: KubeObject, here: Pod[], others: readonly KubeObject[]): Eviction {
  const none = { leaving: [], terminating: [], staying: here, at: 0 };
  if (allDown(others))
    return {
      ...none,
      flag: THRESHOLD_FLAG,
      text: "no pod leaves: no node is ready in any zone, so the fault is more likely the control plane's",
    };
  const zone = others.filter((each) => zoneOf(each) === zoneOf(node));
  const down = zone.filter((each) => !isReady(each)).length;
  // A zone is in partial disruption with three nodes or more down; small ones then evict nobody.
  const isPartial = down < zone.length && down > 2 && down / zone.length >= number(THRESHOLD_FLAG, 0.55);
  if (isPartial && zone.length <= number(LARGE_FLAG, 50))
    return {
      ...none,
      flag: THRESHOLD_FLAG,
      text: `no pod leaves: ${down} of the zone's ${zone.length} nodes are not ready, which stops eviction in it`,
    };
  const pause = 1 / number(isPartial ? SECONDARY_FLAG : RATE_FLAG, 0.1);
  return {
    ...none,
    flag: isPartial ? SECONDARY_FLAG : RATE_FLAG,
    text:
      down > 1
        ? `no pod leaves yet: ${down} nodes of its zone are not ready, and one is tainted every ${span(pause)}`
        : "no pod leaves yet: the node is about to be tainted",
  };
}

const THRESHOLD_FLAG = "controller-manager.unhealthy-zone-threshold";
const LARGE_FLAG = "controller-manager.large-cluster-size-threshold";
const SECONDARY_FLAG = "controller-manager.secondary-node-eviction-rate";

function number(flag: string, otherwise: number): number {
  return Number(flagValue(flag)) || otherwise;
}

function textOf(leaving: Pod[], terminating: Pod[], left: number, silent: boolean): string {
  const unless = silent ? " unless the node returns" : "";
  if (leaving.length) {
    const when = left > 0 ? `in ${span(Math.ceil(left))}` : "now";
    return `${count(leaving.length)} ${leaving.length === 1 ? "leaves" : "leave"} ${when}${unless}`;
  }
  if (terminating.length) {
    const [these, ended] =
      terminating.length === 1 ? ["was evicted and is", "it has"] : ["were evicted and are", "they have"];
    const until = silent ? ` until the node returns: only its kubelet can say that ${ended} ended` : "";
    return `${count(terminating.length)} ${these} Terminating${until}`;
  }
  return "no pod has to leave";
}

function count(pods: number): string {
  return pods === 1 ? "1 pod" : `${pods} pods`;
}

function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** The node's zone: region and zone of its labels. */
export function zoneOf(node: KubeObject): string {
  const labels = node.metadata.labels ?? {};
  return `${labels["topology.kubernetes.io/region"] ?? ""}/${labels["topology.kubernetes.io/zone"] ?? ""}`;
}

/** Whether no node of the cluster is ready: eviction stops then. */
export function allDown(nodes: readonly KubeObject[]): boolean {
  return nodes.length > 0 && !nodes.some(isReady);
}

function isReady(node: KubeObject): boolean {
  return conditionOf(node, "Ready")?.status === "True";
}
