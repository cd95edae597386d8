/** The rows of the list of nodes: what each is, how it is, and what it carries. */

import { age } from "../kube/ages";
import type { Pod } from "../kube/kinds";
import { secondsOf, textAt, type KubeObject } from "../kube/object";
import { evictionOf } from "./eviction";
import { leaseState } from "./lease";
import { requestedOf } from "./requests";
import { addressOf, nodeStatus, type NodeStatus, rolesOf, sshLine } from "./status";

/** One row. */
export interface NodeRow {
  name: string;
  status: NodeStatus;
  /** What is about to happen to it, in a few words: a lease that is late, pods that leave. Empty when all is well. */
  note: string;
  address: string;
  ssh: string;
  roles: string;
  pods: number;
  cpu: number;
  memory: number;
  version: string;
  age: string;
}

/** The rows, control plane first, then by name; positions hold as nodes fail and return. */
export function nodeRows(
  nodes: readonly KubeObject[],
  pods: readonly Pod[],
  leases: readonly KubeObject[],
  now: number,
): NodeRow[] {
  const leaseOf = new Map(leases.map((lease) => [lease.metadata.name, lease]));
  const rows = nodes.map((node) => {
    const requested = requestedOf(node, pods);
    const share = (resource: string) => requested.find((each) => each.resource === resource)?.share ?? 0;
    const status = nodeStatus(node);
    const lease = leaseState(leaseOf.get(node.metadata.name), now);
    const eviction = evictionOf(node, pods, nodes, now);
    return {
      name: node.metadata.name,
      status,
      note: eviction?.text ?? (lease?.state === "late" ? lease.text : ""),
      address: addressOf(node),
      ssh: sshLine(node),
      roles: rolesOf(node).join(", "),
      pods: requested.find((each) => each.resource === "pods")?.requested ?? 0,
      cpu: share("cpu"),
      memory: share("memory"),
      version: textAt(node, "status", "nodeInfo", "kubeletVersion"),
      age: age(now - secondsOf(node.metadata.creationTimestamp)),
    };
  });
  const rank = (row: NodeRow) => (row.roles.includes("control-plane") ? 0 : 1);
  return rows.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
}
