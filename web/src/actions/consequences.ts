/** What else goes when objects are deleted, said before it happens. */
import type { DisruptionBudget, EndpointSlice } from "../kube/kinds";
import { at, type KubeObject } from "../kube/object";
import { controllerOf, countText, dependents, type OwnedTree } from "../kube/owners";
import { matches, selects } from "../kube/selectors";

/** One thing that happens with a deletion. */
export interface Consequence {
  readonly text: string;
  readonly tone: "change" | "trouble" | "idle";
}

function flat(tree: OwnedTree): KubeObject[] {
  return tree.children.flatMap((child) => [child.object, ...flat(child)]);
}

/** The pods that end when an object is deleted with its dependents. */
function podsOf(object: KubeObject, objects: readonly KubeObject[]): KubeObject[] {
  if (object.kind === "Pod") return [object];
  return flat(dependents(object, objects)).filter(({ kind }) => kind === "Pod");
}

function ofController(object: KubeObject): Consequence[] {
  const mirror = object.metadata.annotations?.["kubernetes.io/config.mirror"];
  if (mirror !== undefined)
    return [{ text: "It is a static pod: its kubelet runs on, and shows it again at once.", tone: "idle" }];
  const owner = controllerOf(object);
  if (!owner)
    return object.kind === "Pod" ? [{ text: "No controller makes another one.", tone: "trouble" }] : [];
  return [{ text: `${owner.kind} ${owner.name} makes another one.`, tone: "idle" }];
}

function ofDependents(
  object: KubeObject,
  objects: readonly KubeObject[],
  propagation: string,
): Consequence[] {
  const tree = dependents(object, objects);
  if (tree.children.length === 0) return [];
  if (propagation === "Orphan")
    return [{ text: `${countText(tree)} stay, without an owner.`, tone: "change" }];
  return [{ text: `${countText(tree)} go with it.`, tone: "trouble" }];
}

function ofEndpoints(pods: readonly KubeObject[], objects: readonly KubeObject[]): Consequence[] {
  const uids = new Set(pods.map(({ metadata }) => metadata.uid));
  const left = new Map<string, { ready: number; leaving: number }>();
  for (const slice of objects.filter(({ kind }) => kind === "EndpointSlice") as EndpointSlice[]) {
    const service = slice.metadata.labels?.["kubernetes.io/service-name"] ?? slice.metadata.name;
    const count = left.get(service) ?? { ready: 0, leaving: 0 };
    for (const { conditions, targetRef } of slice.endpoints ?? []) {
      if (conditions?.ready === false) continue;
      count.ready += 1;
      if (uids.has(targetRef?.uid ?? "")) count.leaving += 1;
    }
    left.set(service, count);
  }
  return [...left]
    .filter(([, { leaving }]) => leaving > 0)
    .map(([service, { ready, leaving }]) => ({
      text: `Service ${service} loses ${leaving} of ${ready} ready endpoints.`,
      tone: leaving === ready ? "trouble" : "change",
    }));
}

function ofBudgets(pods: readonly KubeObject[], objects: readonly KubeObject[]): Consequence[] {
  const budgets = objects.filter(({ kind }) => kind === "PodDisruptionBudget") as DisruptionBudget[];
  return budgets.flatMap((budget) => {
    const hit = pods.filter(({ metadata }) => matches(budget.spec.selector, metadata.labels)).length;
    const allowed = budget.status?.disruptionsAllowed ?? 0;
    if (hit === 0 || hit <= allowed) return [];
    const text = `PodDisruptionBudget ${budget.metadata.name} allows ${allowed} disruptions now, and this ends ${hit}: deleting, unlike evicting, does not ask it.`;
    return [{ text, tone: "trouble" as const }];
  });
}

function ofService(object: KubeObject): Consequence[] {
  if (object.kind !== "Service") return [];
  return [{ text: "Its address and its DNS name end: clients can no longer reach it.", tone: "trouble" }];
}

function ofMounts(object: KubeObject, objects: readonly KubeObject[]): Consequence[] {
  const users = objects.filter((each) => each.kind === "Pod" && uses(each, object));
  if (users.length === 0) return [];
  const text = `${users.length} ${users.length === 1 ? "pod uses" : "pods use"} it; a container that starts again will not find it.`;
  return [{ text, tone: "trouble" }];
}

function uses(pod: KubeObject, object: KubeObject): boolean {
  if (!["ConfigMap", "Secret", "PersistentVolumeClaim"].includes(object.kind ?? "")) return false;
  const keys = new Set(["name", "secretName", "claimName"]);
  const search = (value: unknown, key: string, under: string): boolean => {
    if (typeof value === "string")
      return keys.has(key) && value === object.metadata.name && under === object.kind;
    if (typeof value !== "object" || value === null) return false;
    return Object.entries(value).some(([inner, each]) =>
      search(each, inner, KEYS[inner] ?? KEYS[key] ?? under),
    );
  };
  return search(at(pod, "spec"), "", "");
}

const KEYS: Record<string, string> = {
  configMap: "ConfigMap",
  configMapRef: "ConfigMap",
  configMapKeyRef: "ConfigMap",
  secret: "Secret",
  secretRef: "Secret",
  secretKeyRef: "Secret",
  imagePullSecrets: "Secret",
  persistentVolumeClaim: "PersistentVolumeClaim",
};

/** What happens when an object is deleted, from the objects around it (its namespace's, with slices and budgets). */
export function consequences(
  object: KubeObject,
  objects: readonly KubeObject[],
  propagation: string,
): readonly Consequence[] {
  if (object.kind === "Namespace")
    return [{ text: "Everything in it is deleted. That cannot be undone.", tone: "trouble" }];
  if (object.kind === "CustomResourceDefinition")
    return [{ text: "All objects of its kind are deleted. That cannot be undone.", tone: "trouble" }];
  const pods = propagation === "Orphan" && object.kind !== "Pod" ? [] : podsOf(object, objects);
  return [
    ...ofController(object),
    ...ofDependents(object, objects, propagation),
    ...ofEndpoints(pods, objects),
    ...ofBudgets(pods, objects),
    ...ofService(object),
    ...ofMounts(object, objects),
  ];
}

/** The Services that send connections to a pod. */
export function servicesOf(pod: KubeObject, services: readonly KubeObject[]): KubeObject[] {
  return services.filter((each) =>
    selects(at(each, "spec", "selector") as Record<string, string> | undefined, pod.metadata.labels),
  );
}
