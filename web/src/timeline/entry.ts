/** One write of the cluster's journal, as `/homeostat/journal` and the live protocol give it. */

/** An object at a revision that a loop read before it decided. */
export interface Seen {
  kind: string;
  namespace: string;
  name: string;
  revision: number;
}

/** Why a write was made: the loop, what it worked on, and what it had seen. */
export interface Cause {
  loop?: string;
  key?: string;
  note?: string;
  seen?: Seen[];
  instance?: string;
}

/** One write. `time` is in seconds since the epoch. */
export interface Entry {
  revision: number;
  time: number;
  kind: string;
  namespace: string;
  name: string;
  verb: string;
  user: string | null;
  cause: Cause | null;
  summary: string;
}

/** `namespace/name`, or the name alone of what has no namespace. */
export function placeOf(entry: Pick<Entry, "namespace" | "name">): string {
  return entry.namespace ? `${entry.namespace}/${entry.name}` : entry.name;
}

/** Identity of the object that was written. */
export function objectKey(entry: Pick<Entry, "kind" | "namespace" | "name">): string {
  return `${entry.kind} ${placeOf(entry)}`;
}

/** The loop that wrote; a person's or a program's name where no loop did. */
export function loopOf(entry: Entry): string {
  return entry.cause?.loop || (entry.user ? `user/${entry.user}` : "unknown");
}

/** The component before the slash: `kubelet` of `kubelet/worker-1`. */
export function componentOf(loop: string): string {
  const slash = loop.indexOf("/");
  return slash < 0 ? loop : loop.slice(0, slash);
}

/** What is after the first slash; the whole without one. */
export function partOf(loop: string): string {
  return loop.slice(loop.indexOf("/") + 1);
}
