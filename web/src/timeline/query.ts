/** The timeline's filters and time range as they stand in the address, so that a link shows what one person saw. */

import type { Entry } from "./entry";
import { SPAN_MAX, SPAN_MIN, SPAN_START, type TimeWindow } from "./window";

/** What a person has chosen to see. `hidden` are lanes' ids. */
export interface Filters {
  search: string;
  namespace: string;
  kinds: string[];
  hidden: string[];
  /** The selected write; 0 for none. */
  revision: number;
}

/** The filters that the address names. */
export function filtersOf(query: Readonly<Record<string, string>>): Filters {
  return {
    search: query.search ?? "",
    namespace: query.ns ?? "",
    kinds: listed(query.kinds),
    hidden: listed(query.hide),
    revision: Number(query.at) || 0,
  };
}

/** The window that the address names: live with the span of its beginning unless it says otherwise. */
export function windowOf(query: Readonly<Record<string, string>>): TimeWindow {
  const span = bounded(Number(query.span));
  const to = Number(query.to);
  return to > 0 ? { to, span, live: false } : { to: 0, span, live: true };
}

/** The window as parameters of the address; empty ones are left out of it. */
export function windowQuery(window: TimeWindow): Record<string, string> {
  const span = window.span === SPAN_START ? "" : String(Number(window.span.toPrecision(4)));
  return { to: window.live ? "" : window.to.toFixed(3), span };
}

/** The filters as parameters of the address. */
export function filterQuery(filters: Filters): Record<string, string> {
  return {
    search: filters.search,
    ns: filters.namespace,
    kinds: filters.kinds.join(","),
    hide: filters.hidden.join(","),
    at: filters.revision ? String(filters.revision) : "",
  };
}

/** Whether a write is shown. The search looks at name, kind, loop, note and summary, in any letter case. */
export function isShown(entry: Entry, filters: Filters): boolean {
  if (filters.namespace && entry.namespace && entry.namespace !== filters.namespace) return false;
  if (filters.kinds.length && !filters.kinds.includes(entry.kind)) return false;
  if (!filters.search) return true;
  const { kind, namespace, name, summary, user, cause } = entry;
  const text = [kind, `${namespace}/${name}`, summary, user, cause?.loop, cause?.note]
    .join("\n")
    .toLowerCase();
  return filters.search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function listed(text: string | undefined): string[] {
  return (text ?? "").split(",").filter(Boolean);
}

function bounded(span: number): number {
  return span > 0 ? Math.min(SPAN_MAX, Math.max(SPAN_MIN, span)) : SPAN_START;
}
