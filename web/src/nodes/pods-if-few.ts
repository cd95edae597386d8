/** All pods of the cluster where they are few enough to be followed whole. */
import { effect, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Pod } from "../kube/kinds";
import { type Followed, openList, openObjects } from "../live";
import type { ObjectsView } from "../live/merge";
import { resource } from "../overview/follow";

/** Above so many pods a view does without them. */
export const PODS_MAX = 3000;

/** The pods, or null while it is not known how many there are, and where they are too many. */
export function usePodsIfFew(namespace = ""): readonly Pod[] | null {
  const pods = useMemo(() => follow(namespace), [namespace]);
  useEffect(() => pods.close, [pods]);
  return pods.value.value;
}

function follow(namespace: string) {
  const value = signal<readonly Pod[] | null>(null);
  const spec = { resource: resource("v1/pods"), namespace };
  const sort = { column: "Name", descending: false };
  const list = openList({ ...spec, search: "", labels: "", statuses: [], sort, first: 0, count: 1 });
  let objects: Followed<ObjectsView> | null = null;
  const end = effect(() => {
    const { state, total } = list.view.value;
    if (objects === null && state !== "loading" && total <= PODS_MAX)
      objects = openObjects({ ...spec, labels: "", fields: "" });
    const view = objects?.view.value;
    if (view !== undefined && view.state !== "loading") value.value = [...view.objects.values()] as Pod[];
  });
  const close = () => {
    end();
    list.close();
    objects?.close();
  };
  return { value, close };
}
