/** The timeline's lanes, top to bottom in the order of cause. */

import { type Entry, componentOf, loopOf, partOf } from "./entry";
import { faultOf } from "./faults";

/** One lane. `id` is stable: it stands in the address for what a person has hidden. */
export interface Lane {
  id: string;
  title: string;
  group: "faults" | "users" | "kubelets" | "control plane" | "loops" | "services";
  entries: Entry[];
}

const GROUPS: Lane["group"][] = ["faults", "users", "kubelets", "control plane", "loops", "services"];
const SERVICE_LOOPS = new Set([
  "endpointslice",
  "endpoints",
  "endpointslicemirroring",
  "service-lb",
  "serviceaccount-dns",
]);
/** The loops that a failure usually runs through, in the order in which they act; others follow by name. */
const LOOP_ORDER = [
  "node-lifecycle",
  "node-taints",
  "node-pods",
  "taint-eviction",
  "deployment",
  "replicaset",
  "statefulset",
  "daemonset",
  "job",
  "scheduler",
];

/** The lane of a write, without its faults lane. */
export function laneOf(entry: Entry): { id: string; title: string; group: Lane["group"] } {
  const loop = loopOf(entry);
  const component = componentOf(loop);
  const part = partOf(loop);
  if (component === "kubelet") return { id: `kubelet/${part}`, title: part, group: "kubelets" };
  if (component === "user") {
    if (part.startsWith("system:"))
      return { id: "control-plane", title: "components", group: "control plane" };
    return { id: "users", title: "users", group: "users" };
  }
  if (part === "election") return { id: "elections", title: "elections", group: "control plane" };
  if (component === "kube-proxy" || SERVICE_LOOPS.has(part))
    return { id: part, title: part, group: "services" };
  return { id: part, title: part, group: "loops" };
}

/** All lanes that have an entry, and the faults lane always. */
export function lanesOf(entries: readonly Entry[]): Lane[] {
  const faults: Lane = { id: "faults", title: "faults", group: "faults", entries: [] };
  const lanes = new Map<string, Lane>([[faults.id, faults]]);
  for (const entry of entries) {
    if (faultOf(entry)) faults.entries.push(entry);
    const place = laneOf(entry);
    const known = lanes.get(place.id);
    if (known) known.entries.push(entry);
    else lanes.set(place.id, { ...place, entries: [entry] });
  }
  return [...lanes.values()].sort(byCause);
}

function byCause(a: Lane, b: Lane): number {
  const groups = GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group);
  if (groups) return groups;
  const orders = orderOf(a.id) - orderOf(b.id);
  return orders || a.title.localeCompare(b.title, "en", { numeric: true });
}

function orderOf(id: string): number {
  const index = LOOP_ORDER.indexOf(id);
  return index < 0 ? LOOP_ORDER.length : index;
}
