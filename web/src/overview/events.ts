/** Events for people: grouped by what repeats, warnings first. */

import { eventCount, eventSource, eventTime } from "../kube/events";
import type { KubeEvent } from "../kube/kinds";

/** Events of one reason about one object. */
export interface EventGroup {
  key: string;
  warning: boolean;
  reason: string;
  message: string;
  kind: string;
  namespace: string;
  name: string;
  source: string;
  count: number;
  first: number;
  last: number;
}

/** Groups of events, newest first; with `warningsFirst` warnings stand above the others. */
export function eventGroups(events: readonly KubeEvent[], warningsFirst = false): EventGroup[] {
  const groups = new Map<string, EventGroup>();
  for (const event of events) {
    const group = groupOf(event);
    const known = groups.get(group.key);
    if (!known) groups.set(group.key, group);
    else groups.set(group.key, joined(known, group));
  }
  return [...groups.values()].sort(
    (a, b) =>
      (warningsFirst ? Number(b.warning) - Number(a.warning) : 0) ||
      b.last - a.last ||
      a.key.localeCompare(b.key),
  );
}

function groupOf(event: KubeEvent): EventGroup {
  const about = event.involvedObject ?? {};
  const last = eventTime(event);
  const first = Date.parse(event.firstTimestamp ?? event.metadata.creationTimestamp) / 1000 || last;
  const reason = event.reason ?? "";
  return {
    key: [about.kind, about.namespace, about.name, reason].join(" "),
    warning: event.type === "Warning",
    reason,
    message: event.message ?? event.note ?? "",
    kind: about.kind ?? "",
    namespace: about.namespace ?? "",
    name: about.name ?? "",
    source: eventSource(event),
    count: eventCount(event),
    first: Math.min(first, last),
    last,
  };
}

function joined(a: EventGroup, b: EventGroup): EventGroup {
  const newer = b.last >= a.last ? b : a;
  return {
    ...newer,
    count: a.count + b.count,
    first: Math.min(a.first, b.first),
    warning: a.warning || b.warning,
  };
}
