/** The resources that every cluster has: how a person finds them, and what they are in the API. */
import type { ResourceRef } from "../live/protocol";

/** The navigation's sections, in its order. */
export type Section = "Workloads" | "Networking" | "Storage" | "Troubleshooting" | "Administration";

/** A resource and the words for it. */
export interface Resource extends ResourceRef {
  readonly kind: string;
  readonly namespaced: boolean;
  /** Of many, as the navigation names them. */
  readonly title: string;
  /** Where its list is found; empty for those that only Custom Resources names. */
  readonly section: Section | "";
  /** As kubectl has them. */
  readonly shortNames: readonly string[];
}

type Line = readonly [section: Section, title: string, kind: string, path: string, shortNames?: string];

const lines: readonly Line[] = [
  ["Workloads", "Deployments", "Deployment", "apps/v1/deployments", "deploy"],
  ["Workloads", "Replica Sets", "ReplicaSet", "apps/v1/replicasets", "rs"],
  ["Workloads", "Stateful Sets", "StatefulSet", "apps/v1/statefulsets", "sts"],
  ["Workloads", "Daemon Sets", "DaemonSet", "apps/v1/daemonsets", "ds"],
  ["Workloads", "Jobs", "Job", "batch/v1/jobs"],
  ["Workloads", "Cron Jobs", "CronJob", "batch/v1/cronjobs", "cj"],
  ["Workloads", "Pods", "Pod", "/v1/pods", "po"],
  ["Workloads", "Config Maps", "ConfigMap", "/v1/configmaps", "cm"],
  ["Workloads", "Secrets", "Secret", "/v1/secrets"],
  ["Workloads", "Autoscalers", "HorizontalPodAutoscaler", "autoscaling/v2/horizontalpodautoscalers", "hpa"],
  ["Workloads", "Disruption Budgets", "PodDisruptionBudget", "policy/v1/poddisruptionbudgets", "pdb"],
  ["Networking", "Services", "Service", "/v1/services", "svc"],
  ["Networking", "Endpoint Slices", "EndpointSlice", "discovery.k8s.io/v1/endpointslices"],
  ["Networking", "Ingresses", "Ingress", "networking.k8s.io/v1/ingresses", "ing"],
  ["Networking", "Network Policies", "NetworkPolicy", "networking.k8s.io/v1/networkpolicies", "netpol"],
  ["Storage", "Claims", "PersistentVolumeClaim", "/v1/persistentvolumeclaims", "pvc"],
  ["Storage", "Volumes", "PersistentVolume", "!/v1/persistentvolumes", "pv"],
  ["Storage", "Classes", "StorageClass", "!storage.k8s.io/v1/storageclasses", "sc"],
  ["Troubleshooting", "Events", "Event", "/v1/events", "ev"],
  ["Administration", "Namespaces", "Namespace", "!/v1/namespaces", "ns"],
  ["Administration", "Nodes", "Node", "!/v1/nodes", "no"],
  ["Administration", "Service Accounts", "ServiceAccount", "/v1/serviceaccounts", "sa"],
  ["Administration", "Roles", "Role", "rbac.authorization.k8s.io/v1/roles"],
  ["Administration", "Role Bindings", "RoleBinding", "rbac.authorization.k8s.io/v1/rolebindings"],
  ["Administration", "Quotas", "ResourceQuota", "/v1/resourcequotas", "quota"],
];

function resourceOf([section, title, kind, path, shortNames = ""]: Line): Resource {
  const [group = "", version = "", plural = ""] = path.replace("!", "").split("/");
  const names = shortNames === "" ? [] : shortNames.split(" ");
  return {
    group,
    version,
    plural,
    kind,
    title,
    section,
    namespaced: !path.startsWith("!"),
    shortNames: names,
  };
}

/** The resources of the navigation, in its order. */
export const resources: readonly Resource[] = lines.map(resourceOf);

const byPlural = new Map(resources.map((resource) => [resource.plural, resource]));

/**
 * The resource that a path's first part names: a plural of the navigation (`pods`), or, as kubectl has it,
 * `plural.version.group` (`widgets.v1.example.com`). Null when it is neither.
 */
export function resourceNamed(text: string): Resource | null {
  const known = byPlural.get(text);
  if (known !== undefined) return known;
  const [plural = "", version = "", ...group] = text.split(".");
  if (plural === "" || !/^v\d/.test(version)) return null;
  const ref = { group: group.join("."), version, plural };
  return { ...ref, kind: plural, title: plural, section: "", namespaced: true, shortNames: [] };
}

/** How a path names a resource. */
export function resourceName(resource: ResourceRef): string {
  const known = byPlural.get(resource.plural);
  if (known?.group === resource.group && known.version === resource.version) return resource.plural;
  return `${resource.plural}.${resource.version}${resource.group === "" ? "" : `.${resource.group}`}`;
}

/** The resource of an object's `apiVersion` and `kind`; null when the navigation has none. */
export function resourceOfKind(apiVersion: string, kind: string): Resource | null {
  const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
  return resources.find((resource) => resource.kind === kind && resource.group === group) ?? null;
}

/** The path of a resource's list. */
export function listPath(resource: ResourceRef): string {
  return `/${resourceName(resource)}`;
}

/** The path of one object's page; `namespace` is empty for what belongs to the cluster. */
export function objectPath(resource: ResourceRef, namespace: string, name: string): string {
  const parts = [resourceName(resource), namespace, name].filter((part) => part !== "");
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
