import { request } from "../live/api";
import { groupOf, knownResource, learn, type Resource } from "./resources";

interface Found {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
}

/** The resource of an apiVersion and kind, which discovery is asked for; undefined where the cluster has none. */
export async function findResource(apiVersion: string, kind: string): Promise<Resource | undefined> {
  const version = apiVersion.split("/").pop() ?? "";
  const there = knownResource(apiVersion, kind);
  if (there) return { ...there, version };
  const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const list = await request<{ resources: readonly Found[] }>("GET", path);
  const found = list.resources.find((each) => each.kind === kind && !each.name.includes("/"));
  if (!found) return undefined;
  const { name: plural, namespaced, shortNames = [] } = found;
  const resource = {
    group: groupOf(apiVersion),
    version,
    plural,
    kind,
    namespaced,
    shortNames,
    title: kind,
    section: "" as const,
  };
  learn(resource);
  return resource;
}
