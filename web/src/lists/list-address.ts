/** What a list's address says: its filters and its order, and back. Pure. */
import type { Params } from "../app/match";
import type { Resource } from "../app/resources";
import type { ListSpec } from "../live";

/** How a list is sorted. */
export type Sort = ListSpec["sort"];

/** What a person chose on a list's page. */
export interface Filters {
  readonly namespace: string;
  readonly search: string;
  readonly labels: string;
  readonly statuses: readonly string[];
  readonly sort: Sort;
}

/** How a resource's list is sorted when nobody said otherwise: by name, events by time. */
export function usualSort(resource: Resource): Sort {
  return { column: resource.plural === "events" ? "Last Seen" : "Name", descending: false };
}

/** The filters in an address. */
export function filtersOf(query: Params, resource: Resource): Filters {
  const statuses = (query.status ?? "").split(",").filter((each) => each !== "");
  return {
    namespace: resource.namespaced ? (query.ns ?? "") : "",
    search: query.search ?? "",
    labels: query.labels ?? "",
    statuses,
    sort: query.sort === undefined || query.sort === "" ? usualSort(resource) : sortOf(query.sort),
  };
}

function sortOf(text: string): Sort {
  return text.startsWith("-")
    ? { column: text.slice(1), descending: true }
    : { column: text, descending: false };
}

/** The address's `sort` after a click on a column's heading: by it, then backwards. */
export function sortedBy(column: string, sort: Sort): string {
  return sort.column === column && !sort.descending ? `-${column}` : column;
}

/** The address's `status` with a status chosen or not chosen any more. */
export function withStatus(statuses: readonly string[], status: string, chosen: boolean): string {
  const others = statuses.filter((each) => each !== status);
  return (chosen ? [...others, status] : others).join(",");
}

/** The fields of a list that are not the same. */
export function changedFields(before: Filters, after: Filters): Partial<Filters> {
  const fields = Object.entries(after).filter(([name, value]) => {
    return JSON.stringify(before[name as keyof Filters]) !== JSON.stringify(value);
  });
  return Object.fromEntries(fields);
}
