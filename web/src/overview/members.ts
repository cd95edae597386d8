/** The members of the control plane, as far as the cluster's own objects show them. */

import { conditionOf, type Tone } from "../kube/conditions";
import { durationSeconds } from "../kube/ages";
import { flagValue } from "../kube/flags";
import type { ContainerStatus, Pod } from "../kube/kinds";
import { secondsOf, textAt, type KubeObject } from "../kube/object";

const COMPONENTS = [
  "kube-apiserver",
  "etcd",
  "kube-controller-manager",
  "kube-scheduler",
  "cloud-controller-manager",
];

/** One member: a pod of the control plane. */
export interface Member {
  component: string;
  name: string;
  node: string;
  ready: boolean;
  status: string;
  tone: Tone;
  restarts: number;
  /** When it restarted last, in seconds since the epoch; 0 if never. */
  restartedAt: number;
  /** Why it ended last, such as `137`; empty if it never did. */
  lastExit: string;
  leads: boolean;
  /** Whether this API server serves the page. */
  serves: boolean;
}

/** The control plane's pods by component and node. `server` is the API server that serves the page. */
export function membersOf(pods: readonly Pod[], leases: readonly KubeObject[], server: string): Member[] {
  const leaders = leadersOf(leases, 0);
  const found = pods.flatMap((pod) => {
    const component = componentOf(pod);
    return component ? [memberOf(pod, component, leaders, server)] : [];
  });
  const rank = (member: Member) => COMPONENTS.indexOf(member.component);
  return found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** The component that a pod runs: by its label, or by the name that static pods and DaemonSets have. */
export function componentOf(pod: Pod): string {
  const { labels = {}, name, namespace } = pod.metadata;
  if (namespace !== "kube-system") return "";
  const label = labels.component ?? labels["k8s-app"] ?? "";
  if (COMPONENTS.includes(label)) return label;
  return COMPONENTS.find((component) => name.startsWith(`${component}-`)) ?? "";
}

function memberOf(pod: Pod, component: string, leaders: readonly Leader[], server: string): Member {
  const node = pod.spec.nodeName ?? "";
  const ready = conditionOf(pod, "Ready")?.status === "True";
  const statuses = pod.status?.containerStatuses ?? [];
  const ended = statuses.map((each) => each.lastState?.terminated ?? each.state?.terminated).find(Boolean);
  return {
    component,
    name: pod.metadata.name,
    node,
    ready,
    ...statusOf(pod, ready, statuses),
    restarts: statuses.reduce((sum, each) => sum + each.restartCount, 0),
    restartedAt: secondsOf(ended?.finishedAt),
    lastExit: ended ? String(ended.exitCode) : "",
    leads: leaders.some((leader) => leader.component === component && leader.node === node),
    serves:
      component === "kube-apiserver" && server !== "" && (server === node || server === pod.metadata.name),
  };
}

function statusOf(
  pod: Pod,
  ready: boolean,
  statuses: readonly ContainerStatus[],
): { status: string; tone: Tone } {
  if (pod.metadata.deletionTimestamp) return { status: "Terminating", tone: "change" };
  const ended = statuses.find((each) => each.state?.terminated)?.state?.terminated;
  if (ended) return { status: `Terminated (${ended.exitCode})`, tone: "trouble" };
  const waiting = statuses.find((each) => each.state?.waiting)?.state?.waiting;
  if (waiting?.reason) return { status: waiting.reason, tone: "trouble" };
  if (ready) return { status: "Running", tone: "ok" };
  const reason = conditionOf(pod, "Ready")?.reason;
  return {
    status: `${pod.status?.phase ?? "Pending"}, not ready`,
    tone: reason === "PodCompleted" ? "idle" : "trouble",
  };
}

/** Who leads a component, by its Lease. */
export interface Leader {
  component: string;
  holder: string;
  node: string;
  /** Since the last renewal, in seconds. */
  age: number;
  /** After how long without a renewal another one may take over. */
  duration: number;
  late: boolean;
  transitions: number;
}

/** The leaders, by their Leases in kube-system (those of API servers tell who is there, not who leads). */
export function leadersOf(leases: readonly KubeObject[], now: number): Leader[] {
  const found = leases
    .filter(({ metadata }) => metadata.namespace === "kube-system" && !metadata.name.startsWith("apiserver-"))
    .filter((lease) => textAt(lease, "spec", "holderIdentity") !== "")
    .map((lease) => leaderOf(lease, now));
  return found.sort((a, b) => a.component.localeCompare(b.component));
}

function leaderOf(lease: KubeObject, now: number): Leader {
  const holder = textAt(lease, "spec", "holderIdentity");
  const split = holder.lastIndexOf("_");
  const age = Math.max(0, now - secondsOf(textAt(lease, "spec", "renewTime")));
  const flagged = durationSeconds(flagValue("controller-manager.leader-elect-lease-duration")) ?? 15;
  const duration = Number(textAt(lease, "spec", "leaseDurationSeconds")) || flagged;
  return {
    component: lease.metadata.name,
    holder,
    node: split > 0 ? holder.slice(0, split) : holder,
    age,
    duration,
    late: age > duration,
    transitions: Number(textAt(lease, "spec", "leaseTransitions")) || 0,
  };
}
