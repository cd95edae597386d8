/** Objects at the revisions of a write, where the cluster still has them. */
import { resourceOfKind } from "../kube/resources";
import { request } from "../live";
import { apiPath } from "../live/api";
import type { Entry } from "./entry";

/** The two sides of a write; undefined where the history no longer has one, null where there was no object. */
export interface Sides {
  readonly before: unknown;
  readonly after: unknown;
}

/** The object before and after the write, by lists at exact revisions. */
export async function sidesOf(entry: Entry): Promise<Sides> {
  const [before, after] = await Promise.all([
    entry.verb === "ADDED" ? null : atRevision(entry, entry.revision - 1),
    entry.verb === "DELETED" ? null : atRevision(entry, entry.revision),
  ]);
  return { before, after };
}

async function atRevision(entry: Entry, revision: number): Promise<unknown> {
  const resource = resourceOfKind(entry.kind);
  if (resource === undefined) return undefined;
  const query = {
    resourceVersion: String(revision),
    resourceVersionMatch: "Exact",
    fieldSelector: `metadata.name=${entry.name}`,
  };
  try {
    const path = apiPath(resource, resource.namespaced ? entry.namespace : "");
    const list = await request<{ items?: unknown[] }>("GET", path, undefined, { query });
    return list.items?.[0] ?? null;
  } catch {
    return undefined;
  }
}
