/** The objects around those that an action is about: replica sets of a Deployment, what a deletion takes along. */
import type { Workload } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { isOwnedBy } from "../kube/owners";
import { resourceOfKind, type Resource } from "../kube/resources";
import { selectorText } from "../kube/selectors";
import { loadAll } from "./perform";

// What objects of a namespace own, and what tells that pods are needed.
const AROUND = ["ReplicaSet", "Pod", "Job", "ControllerRevision", "EndpointSlice", "PodDisruptionBudget"];

const resourcesOf = (kinds: readonly string[]) =>
  kinds.map(resourceOfKind).filter((each): each is Resource => each !== undefined);

/** The replica sets of a Deployment. */
export async function replicaSetsOf(deployment: KubeObject): Promise<KubeObject[]> {
  const [resource] = resourcesOf(["ReplicaSet"]);
  if (!resource) return [];
  const labels = selectorText((deployment as Workload).spec.selector);
  const found = await loadAll(resource, deployment.metadata.namespace ?? "", labels);
  return found.filter((each) => isOwnedBy(each, deployment));
}

/** What is around objects that may be deleted: all of their namespaces that may depend on them. */
export async function around(objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const namespaces = [...new Set(objects.map(({ metadata }) => metadata.namespace ?? ""))].filter(Boolean);
  const lists = namespaces.flatMap((namespace) =>
    resourcesOf(AROUND).map((each) => loadAll(each, namespace)),
  );
  return (await Promise.all(lists)).flat();
}

/** What the action of this name needs to know beside its objects. */
export async function relatedTo(id: string, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const [first] = objects;
  if (id === "roll-back" && first) return await replicaSetsOf(first);
  if (id === "delete" || id === "evict") return await around(objects);
  return [];
}
