/** What a node is and how it is, in words. */

import { conditionOf, type Tone } from "../kube/conditions";
import { listAt, mapAt, secondsOf, textAt, at, type KubeObject } from "../kube/object";

/** How a node is: `Unhealthy (NotReady)` with its reason, and since when (seconds since the epoch; 0 if not known). */
export interface NodeStatus {
  text: string;
  reason: string;
  message: string;
  since: number;
  tone: Tone;
}

/** A taint of a node. */
export interface Taint {
  key: string;
  value?: string;
  effect: string;
  timeAdded?: string;
}

const PRESSURES = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

/** The status as lists and the node's page show it. */
export function nodeStatus(node: KubeObject): NodeStatus {
  const ready = conditionOf(node, "Ready");
  const cordoned = at(node, "spec", "unschedulable") === true;
  if (ready?.status !== "True") {
    const silent = ready?.status === "Unknown";
    return {
      text: cordoned ? "Unhealthy (NotReady), SchedulingDisabled" : "Unhealthy (NotReady)",
      reason: ready?.reason ?? "no status was ever posted",
      message: silent ? "the kubelet stopped posting the node's status" : (ready?.message ?? ""),
      since: secondsOf(ready?.lastTransitionTime),
      tone: "trouble",
    };
  }
  const pressure = PRESSURES.map((type) => conditionOf(node, type)).find((each) => each?.status === "True");
  if (pressure) {
    const { type, reason = "", message = "", lastTransitionTime } = pressure;
    return { text: `Ready, ${type}`, reason, message, since: secondsOf(lastTransitionTime), tone: "trouble" };
  }
  const since = secondsOf(ready.lastTransitionTime);
  const reason = ready.reason ?? "";
  if (cordoned)
    return { text: "Ready, SchedulingDisabled", reason: "cordoned", message: "", since, tone: "change" };
  return { text: "Ready", reason, message: ready.message ?? "", since, tone: "ok" };
}

/** The node's roles, as kubectl prints them. */
export function rolesOf(node: KubeObject): string[] {
  const prefix = "node-role.kubernetes.io/";
  const found = Object.keys(node.metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map((label) => label.slice(prefix.length))
    .filter(Boolean);
  return found.sort();
}

/** Whether the node runs a part of the control plane. */
export function isControlPlane(node: KubeObject): boolean {
  return rolesOf(node).some((role) => role === "control-plane" || role === "master");
}

/** The node's address inside the cluster; its first address where it names none as such. */
export function addressOf(node: KubeObject): string {
  const addresses = listAt<{ type: string; address: string }>(node, "status", "addresses");
  return (addresses.find((each) => each.type === "InternalIP") ?? addresses[0])?.address ?? "";
}

/** Whether nodes are machines that one can log in on: with processes as nodes their addresses are loopback's. */
export function hasShell(node: KubeObject): boolean {
  return (
    !addressOf(node).startsWith("127.") &&
    textAt(node, "status", "nodeInfo", "containerRuntimeVersion") !== ""
  );
}

/** The line that opens a shell on the node; empty where it has none. */
export function sshLine(node: KubeObject): string {
  return hasShell(node) && addressOf(node) ? `ssh core@${addressOf(node)}` : "";
}

/** The node's taints. */
export function taintsOf(node: KubeObject): Taint[] {
  return listAt<Taint>(node, "spec", "taints");
}

/** A taint as short as it is clear: `unreachable:NoExecute`. */
export function taintText(taint: Taint): string {
  const key = taint.key.replace(/^node(-role)?\.kubernetes\.io\//, "");
  return `${key}${taint.value ? `=${taint.value}` : ""}:${taint.effect}`;
}

/** What the node offers to pods, by resource. */
export function allocatableOf(node: KubeObject): Record<string, string> {
  return mapAt(node, "status", "allocatable");
}
