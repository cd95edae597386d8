/** Which steps of the guide are done, as the cluster's own data shows it. */

import { durationSeconds } from "../kube/ages";
import { flagValue } from "../kube/flags";
import { conditionOf } from "../kube/conditions";
import type { Pod, Workload } from "../kube/kinds";
import { secondsOf, textAt, type KubeObject } from "../kube/object";
import { isControlPlane, nodeStatus } from "../nodes/status";
import type { Entry } from "../timeline/entry";
import { moveOf } from "../timeline/moves";
import type { StepId } from "./steps";

/** What the steps are seen in. */
export interface Seen {
  readonly deployments: readonly Workload[];
  readonly controlPods: readonly Pod[];
  readonly nodes: readonly KubeObject[];
  readonly leases: readonly KubeObject[];
  readonly entries: readonly Entry[];
  /** The page's own path and query: opening the list is a step. */
  readonly address: string;
  readonly now: number;
  /** When the exercise was begun, in seconds since the epoch: what was before does not count; 0 counts everything. */
  readonly since: number;
}

/** The state of the guide: what is done, the step that comes next, and the node that it is about. */
export interface Progress {
  readonly done: ReadonlySet<StepId>;
  readonly next: StepId | null;
  readonly node: string;
  readonly address: string;
}

const ORDER: readonly StepId[] = [
  "workload",
  "find-api-server",
  "kill-api-server",
  "api-server-back",
  "cut-node",
  "node-marked",
  "pods-replaced",
  "node-back",
];

/** How far the exercise is. `before` are steps that were seen done earlier: a step stays done. */
export function progressOf(all: Seen, before: ReadonlySet<StepId> = new Set()): Progress {
  const seen = { ...all, entries: all.entries.filter(({ time }) => time >= all.since) };
  const done = new Set(before);
  for (const step of ORDER) if (DETECTORS[step](seen)) done.add(step);
  // Whoever has killed an API server has found one.
  if (done.has("kill-api-server")) done.add("find-api-server");
  if (done.has("node-marked")) done.add("cut-node");
  const next = ORDER.find((step) => !done.has(step)) ?? null;
  const node = nodeOf(seen, next);
  return { done, next, node: node?.metadata.name ?? "", address: addressIn(node) };
}

const DETECTORS: Readonly<Record<StepId, (seen: Seen) => boolean>> = {
  // An app that has lost pods since was launched all the same.
  workload: ({ deployments, entries }) =>
    deployments.some((each) => each.metadata.name === "hello" && isComplete(each)) ||
    entries.some(isLaunched),
  "find-api-server": ({ address }) => /^\/pods\b.*search=[^&]*api/.test(address),
  "kill-api-server": ({ controlPods, entries, since }) =>
    servers(controlPods).some((pod) => endedSince(pod, since)) || entries.some(isServerEnd),
  "api-server-back": ({ controlPods, entries, since }) => {
    const killed = servers(controlPods).filter((pod) => endedSince(pod, since));
    return (killed.length > 0 || entries.some(isServerEnd)) && servers(controlPods).every(isReady);
  },
  "cut-node": ({ nodes, leases, now }) =>
    nodes.some((node) => !isControlPlane(node) && leaseAge(leases, node.metadata.name, now) > lateSeconds()),
  "node-marked": ({ entries, nodes }) =>
    nodes.some((node) => !isControlPlane(node) && nodeStatus(node).tone === "trouble") ||
    entries.some(isMarked),
  "pods-replaced": ({ entries, deployments }) =>
    entries.some(isEvicted) && deployments.some((each) => each.metadata.name === "hello" && isComplete(each)),
  "node-back": ({ entries, nodes }) =>
    entries.some(isMarked) && nodes.length > 0 && nodes.every((node) => nodeStatus(node).tone !== "trouble"),
};

function isComplete(deployment: Workload): boolean {
  return (deployment.status?.readyReplicas ?? 0) >= (deployment.spec.replicas ?? 1);
}

function servers(pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => pod.metadata.labels?.component === "kube-apiserver");
}

/** Whether a container of the pod has ended since then. */
function endedSince(pod: Pod, since: number): boolean {
  return (pod.status?.containerStatuses ?? []).some(({ restartCount, state, lastState }) => {
    const ended = state?.terminated ?? lastState?.terminated;
    return ended === undefined ? since === 0 && restartCount > 0 : secondsOf(ended.finishedAt) >= since;
  });
}

function isReady(pod: Pod): boolean {
  return conditionOf(pod, "Ready")?.status === "True";
}

function isServerEnd(entry: Entry): boolean {
  return entry.name.startsWith("kube-apiserver-") && (entry.cause?.note ?? "").includes("ended with 137");
}

function isLaunched(entry: Entry): boolean {
  return (
    entry.kind === "Deployment" && entry.name === "hello" && moveOf(entry.summary, "Available")?.to === "True"
  );
}

function isMarked(entry: Entry): boolean {
  const ready = moveOf(entry.summary, "Ready");
  return entry.kind === "Node" && ready?.from === "True" && ready.to === "Unknown";
}

function isEvicted(entry: Entry): boolean {
  return entry.kind === "Pod" && entry.cause?.loop === "controller-manager/taint-eviction";
}

function leaseAge(leases: readonly KubeObject[], node: string, now: number): number {
  const lease = leases.find(({ metadata }) => metadata.name === node);
  const renewed = secondsOf(textAt(lease, "spec", "renewTime"));
  return renewed > 0 ? now - renewed : 0;
}

/** A lease is renewed four times in its duration: two that are missed are no delay. */
function lateSeconds(): number {
  return (durationSeconds(flagValue("kubelet.node-lease-duration-seconds")) ?? 40) / 2 + 1;
}

/** The node that a step is about: an API server's for the second chapter, the failing or else the first worker after. */
function nodeOf({ nodes, leases, now }: Seen, next: StepId | null): KubeObject | undefined {
  const sorted = [...nodes].sort((a, b) =>
    a.metadata.name.localeCompare(b.metadata.name, "en", { numeric: true }),
  );
  if (next === "kill-api-server" || next === "find-api-server" || next === "api-server-back")
    return sorted.find(isControlPlane);
  const workers = sorted.filter((node) => !isControlPlane(node));
  const failing = workers.find(
    (node) =>
      nodeStatus(node).tone === "trouble" || leaseAge(leases, node.metadata.name, now) > lateSeconds(),
  );
  return failing ?? workers[0];
}

function addressIn(node: KubeObject | undefined): string {
  const addresses =
    (node?.status as { addresses?: { type: string; address: string }[] } | undefined)?.addresses ?? [];
  return addresses.find(({ type }) => type === "InternalIP")?.address ?? "";
}

/** A text of a step with this cluster's node in it. */
export function filledIn(text: string, { node, address }: Pick<Progress, "node" | "address">): string {
  return text.replaceAll("NODE", node).replaceAll("ADDRESS", address || "ADDRESS");
}
