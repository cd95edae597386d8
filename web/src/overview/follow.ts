/** Whole objects as lists that are followed while a view is on screen. */
import { useMemo } from "preact/hooks";
import type { KubeObject } from "../kube/object";
import { useObjects } from "../live";
import type { DataState, KubeStatus, ResourceRef } from "../live/protocol";

/** Objects of one resource, and how current they are. */
export interface All<Kind> {
  readonly items: readonly Kind[];
  readonly state: DataState;
  readonly asOf: number;
  readonly error: KubeStatus | null;
}

/** A resource by its path: `v1/pods`, `apps/v1/deployments`. */
export function resource(path: string): ResourceRef {
  const [plural = "", version = "", group = ""] = path.split("/").reverse();
  return { group, version, plural };
}

/** What of a resource is followed; everything unless something is named. */
export interface Some {
  readonly namespace?: string;
  readonly labels?: string;
  readonly fields?: string;
}

/** Follows objects of a resource while the component is there. */
export function useAll(
  path: string,
  { namespace = "", labels = "", fields = "" }: Some = {},
): All<KubeObject> {
  const view = useObjects({ resource: resource(path), namespace, labels, fields }).value;
  const items = useMemo(() => [...view.objects.values()], [view.objects]);
  return { items, state: view.state, asOf: view.asOf, error: view.error };
}

/** How current a view of several resources is: as the least current of them. */
export function leastCurrent(parts: readonly Pick<All<unknown>, "state" | "asOf">[]): {
  state: DataState;
  asOf: number;
} {
  const asOf = Math.min(...parts.map((part) => part.asOf));
  const states = parts.map((part) => part.state);
  const state = states.includes("stale") ? "stale" : states.includes("loading") ? "loading" : "live";
  return { state, asOf };
}
