import { type ReadonlySignal, useComputed } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type Resource, resources } from "../app/resources";
import { type FollowedList, type ListView, openList } from "../live";

/** What is found of one resource. */
export interface Found {
  readonly resource: Resource;
  readonly view: ListView;
}

const order = ["pods", "deployments", "services", "nodes", "statefulsets", "daemonsets", "jobs"];

/** The resources that are searched: those of the navigation but events, what is looked for most first. */
export const searched: readonly Resource[] = [
  ...order.flatMap((plural) => resources.filter((each) => each.plural === plural)),
  ...resources.filter((each) => each.plural !== "events" && !order.includes(each.plural)),
];

/** Looks for a name in the main resources while the component is there: at most `count` rows of each. */
export function useSearches(
  search: string,
  namespace: string,
  count: number,
): ReadonlySignal<readonly Found[]> {
  const lists = useMemo(
    () => searched.map((resource) => ({ resource, list: listOf(resource, search, namespace, count) })),
    [],
  );
  useEffect(() => {
    return () => {
      for (const { list } of lists) list.close();
    };
  }, [lists]);
  useEffect(() => {
    for (const { resource, list } of lists) {
      list.change({ search, namespace: resource.namespaced ? namespace : "" });
    }
  }, [search, namespace, lists]);
  return useComputed(() => lists.map(({ resource, list }) => ({ resource, view: list.view.value })));
}

function listOf(resource: Resource, search: string, namespace: string, count: number): FollowedList {
  const { group, version, plural } = resource;
  return openList({
    resource: { group, version, plural },
    namespace: resource.namespaced ? namespace : "",
    search,
    labels: "",
    statuses: [],
    sort: { column: "Name", descending: false },
    first: 0,
    count,
  });
}
