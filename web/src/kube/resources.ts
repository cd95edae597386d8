/** Which resource an object, a kind or a reference belongs to: the navigation's, those beside it, and learned ones. */
import { resources, type Resource } from "../app/resources";
import { apiPath } from "../live/api";
import type { KubeObject, ResourceRef } from "../live/protocol";

export type { Resource } from "../app/resources";

type Line = readonly [path: string, kind: string, title: string, shortNames?: string];

// Resources without a place in the navigation that pages link to all the same; `!` marks those without namespace.
const BESIDE: readonly Line[] = [
  ["!rbac.authorization.k8s.io/v1/clusterroles", "ClusterRole", "Cluster Roles"],
  ["!rbac.authorization.k8s.io/v1/clusterrolebindings", "ClusterRoleBinding", "Cluster Role Bindings"],
  [
    "!apiextensions.k8s.io/v1/customresourcedefinitions",
    "CustomResourceDefinition",
    "Custom Resources",
    "crd",
  ],
  ["/v1/limitranges", "LimitRange", "Limit Ranges", "limits"],
  ["coordination.k8s.io/v1/leases", "Lease", "Leases"],
  ["/v1/endpoints", "Endpoints", "Endpoints", "ep"],
  ["apps/v1/controllerrevisions", "ControllerRevision", "Controller Revisions"],
  [
    "!certificates.k8s.io/v1/certificatesigningrequests",
    "CertificateSigningRequest",
    "Certificate Requests",
    "csr",
  ],
  ["!scheduling.k8s.io/v1/priorityclasses", "PriorityClass", "Priority Classes", "pc"],
  ["!networking.k8s.io/v1/ipaddresses", "IPAddress", "IP Addresses", "ip"],
  ["!networking.k8s.io/v1/servicecidrs", "ServiceCIDR", "Service CIDRs"],
  ["!networking.k8s.io/v1/ingressclasses", "IngressClass", "Ingress Classes"],
];

function resource([path, kind, title, shortNames = ""]: Line): Resource {
  const [group = "", version = "", plural = ""] = path.replace("!", "").split("/");
  const names = shortNames ? [shortNames] : [];
  return {
    group,
    version,
    plural,
    kind,
    title,
    section: "",
    namespaced: !path.startsWith("!"),
    shortNames: names,
  };
}

const known: Resource[] = [...resources, ...BESIDE.map(resource)];

/** Remember what discovery said of a resource that is not built in. */
export function learn(found: Resource): void {
  if (!known.some(({ group, plural }) => group === found.group && plural === found.plural)) known.push(found);
}

/** What is known of a resource; a resource never heard of is called by its plural. */
export function resourceInfo(ref: ResourceRef): Resource {
  const found = known.find(({ group, plural }) => group === ref.group && plural === ref.plural);
  const { plural } = ref;
  return found ?? { ...ref, kind: plural, title: plural, section: "", namespaced: true, shortNames: [] };
}

/** The resource of a kind, of any group: the journal names kinds alone. */
export function resourceOfKind(kind: string): Resource | undefined {
  return known.find((each) => each.kind === kind);
}

/** The resource of an apiVersion and kind; undefined of one that nobody has named yet. */
export function knownResource(apiVersion: string, kind: string): Resource | undefined {
  return known.find((each) => each.kind === kind && each.group === groupOf(apiVersion));
}

/** The group of an apiVersion: `apps` of `apps/v1`, "" of `v1`. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

/** The resource of an object or a reference by its apiVersion and kind; guesses the plural of unknown kinds. */
export function resourceOf(object: { readonly apiVersion?: string; readonly kind?: string }): Resource {
  const [apiVersion, kind] = [object.apiVersion ?? "v1", object.kind ?? ""];
  const group = groupOf(apiVersion);
  const found = knownResource(apiVersion, kind);
  const version = apiVersion.split("/").pop() ?? "v1";
  const guess = { group, version, plural: pluralOf(kind), kind, title: kind, section: "" as const };
  return found ?? { ...guess, namespaced: true, shortNames: [] };
}

function pluralOf(kind: string): string {
  const lower = kind.toLowerCase();
  if (/(s|x|z|ch|sh)$/.test(lower)) return `${lower}es`;
  return /[^aeiou]y$/.test(lower) ? `${lower.slice(0, -1)}ies` : `${lower}s`;
}

/** `apps/v1` of a resource. */
export function apiVersionOf(ref: ResourceRef): string {
  return ref.group ? `${ref.group}/${ref.version}` : ref.version;
}

/** The path of the API for an object that says its own kind. */
export function objectPath(object: KubeObject, subresource = ""): string {
  const { name, namespace = "" } = object.metadata;
  return apiPath(resourceOf(object), namespace, name, subresource);
}
