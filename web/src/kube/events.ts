import type { KubeEvent } from "./kinds";
import { secondsOf } from "./object";

/** When an event happened last, in seconds since the epoch. */
export function eventTime(event: KubeEvent): number {
  const newest = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime;
  return secondsOf(newest ?? event.metadata.creationTimestamp);
}

/** How often an event happened. */
export function eventCount(event: KubeEvent): number {
  return event.series?.count ?? event.count ?? 1;
}

/** Who reported an event: the component, and the node where it names one. */
export function eventSource(event: KubeEvent): string {
  const component = event.reportingComponent || event.source?.component || "";
  return event.source?.host ? `${component} on ${event.source.host}` : component;
}

/** The events, newest first; those of one object when its UID is given. */
export function newestFirst(events: readonly KubeEvent[], uid?: string): KubeEvent[] {
  const own =
    uid === undefined ? [...events] : events.filter(({ involvedObject }) => involvedObject?.uid === uid);
  return own.sort((a, b) => eventTime(b) - eventTime(a));
}
