/** Services, workloads, pods and nodes as a graph: who sends traffic to whom, who keeps whom, who runs where. */

import type { Tone } from "../kube/conditions";
import type { EndpointSlice, Pod, Service, Workload } from "../kube/kinds";
import { controllerOf } from "../kube/owners";
import type { KubeObject } from "../kube/object";
import { selects } from "../kube/selectors";
import { podStatus, replicasOf } from "../kube/status";
import { nodeStatus } from "../nodes/status";

/** The columns of the picture, left to right. */
export type Column = "services" | "workloads" | "pods" | "nodes";

export const COLUMNS: readonly Column[] = ["services", "workloads", "pods", "nodes"];

/** One thing of the picture. */
export interface Item {
  readonly id: string;
  readonly column: Column;
  readonly kind: string;
  readonly name: string;
  readonly note: string;
  readonly tone: Tone;
  readonly path: string;
}

/** One line of the picture; `faint` where no traffic goes or nothing runs yet. */
export interface Line {
  readonly from: string;
  readonly to: string;
  readonly faint: boolean;
}

/** The picture's contents. */
export interface Graph {
  readonly items: readonly Item[];
  readonly lines: readonly Line[];
}

/** What the graph is made of; `level` says whether pods are shown one by one. */
export interface World {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly workloads: readonly (readonly [kind: string, objects: readonly Workload[]])[];
  readonly replicaSets: readonly Workload[];
  readonly pods: readonly Pod[];
  readonly nodes: readonly KubeObject[];
  readonly level: "cluster" | "pods";
}

/** The graph of a world. */
export function graphOf(world: World): Graph {
  const owners = ownersOf(world);
  const pods = world.pods.filter((pod) => pod.status?.phase !== "Succeeded");
  const items = [
    ...world.services.map((service) => serviceItem(service, world.slices)),
    ...world.workloads.flatMap(([kind, objects]) => objects.map((object) => workloadItem(kind, object))),
    ...(world.level === "pods" ? pods.map(podItem) : []),
    ...world.nodes.map((node) => nodeItem(node, pods)),
  ];
  const lines = new Map<string, Line>();
  const join = (from: string, to: string, faint: boolean) => {
    const key = `${from} ${to}`;
    // Of several pods behind one line one that serves is enough.
    lines.set(key, { from, to, faint: faint && (lines.get(key)?.faint ?? true) });
  };
  for (const pod of pods) {
    const workload = owners.get(pod.metadata.uid);
    const self = `pod/${pod.metadata.uid}`;
    const node = pod.spec.nodeName ?? "";
    const ready = podStatus(pod).tone === "ok";
    const middle = world.level === "pods" ? self : workload;
    for (const service of world.services) {
      if (service.metadata.namespace !== pod.metadata.namespace) continue;
      if (!selects(service.spec.selector, pod.metadata.labels)) continue;
      const target = workload ?? (world.level === "pods" ? self : undefined);
      if (target !== undefined) join(`service/${service.metadata.uid}`, target, !ready);
    }
    if (world.level === "pods" && workload !== undefined) join(workload, self, !ready);
    if (middle !== undefined && node !== "") join(middle, `node/${node}`, !ready);
  }
  const known = new Set(items.map((item) => item.id));
  return { items, lines: [...lines.values()].filter(({ from, to }) => known.has(from) && known.has(to)) };
}

/** The workload of each pod by the pod's UID: its controller, or that of its replica set. */
function ownersOf({ pods, replicaSets, workloads }: World): Map<string, string> {
  const sets = new Map(
    replicaSets.map((set) => [set.metadata.uid, controllerOf(set)?.uid ?? set.metadata.uid]),
  );
  const known = new Set(workloads.flatMap(([, objects]) => objects.map((object) => object.metadata.uid)));
  const found = new Map<string, string>();
  for (const pod of pods) {
    const uid = controllerOf(pod)?.uid ?? "";
    const owner = sets.get(uid) ?? uid;
    if (known.has(owner)) found.set(pod.metadata.uid, `workload/${owner}`);
  }
  return found;
}

function serviceItem(service: Service, slices: readonly EndpointSlice[]): Item {
  const { name, namespace = "", uid } = service.metadata;
  const endpoints = slices
    .filter(
      ({ metadata }) =>
        metadata.namespace === namespace && metadata.labels?.["kubernetes.io/service-name"] === name,
    )
    .flatMap((slice) => slice.endpoints ?? []);
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false).length;
  const lacks = endpoints.length > 0 && ready === 0 ? "trouble" : "ok";
  const note = endpoints.length === 0 ? "no endpoints" : `${ready} of ${endpoints.length} ready`;
  const path = `/services/${namespace}/${name}`;
  return { id: `service/${uid}`, column: "services", kind: "Service", name, note, tone: lacks, path };
}

function workloadItem(kind: string, object: Workload): Item {
  const { name, namespace = "", uid } = object.metadata;
  const { ready, wanted } = replicasOf({ ...object, kind });
  const tone = ready >= wanted ? "ok" : ready === 0 ? "trouble" : "change";
  const path = `/${kind.toLowerCase()}s/${namespace}/${name}`;
  return {
    id: `workload/${uid}`,
    column: "workloads",
    kind,
    name,
    note: `${ready} of ${wanted} ready`,
    tone,
    path,
  };
}

function podItem(pod: Pod): Item {
  const { name, namespace = "", uid } = pod.metadata;
  const { word, tone } = podStatus(pod);
  return {
    id: `pod/${uid}`,
    column: "pods",
    kind: "Pod",
    name,
    note: word,
    tone,
    path: `/pods/${namespace}/${name}`,
  };
}

function nodeItem(node: KubeObject, pods: readonly Pod[]): Item {
  const { name } = node.metadata;
  const { text, tone } = nodeStatus(node);
  const count = pods.filter((pod) => pod.spec.nodeName === name).length;
  const note = tone === "ok" ? (count === 1 ? "1 pod" : `${count} pods`) : text;
  return { id: `node/${name}`, column: "nodes", kind: "Node", name, note, tone, path: `/nodes/${name}` };
}
