/** One write of the cluster's journal, with all its parts. */

import type { Write } from "../kube/chain";

/** A write whose parts are all there. `time` is in seconds since the epoch. */
export interface Entry extends Write {
  user: string | null;
  cause: NonNullable<Write["cause"]> | null;
  summary: string;
}

const known = new WeakMap<object, Entry>();

/**
 * The entries of the journal as it comes over the live connection or from `/homeostat/journal`. A write has one entry,
 * so that what was worked out of it is not worked out again when others follow.
 */
export function entriesOf(writes: readonly object[]): Entry[] {
  return (writes as Write[]).map((write) => {
    let entry = known.get(write);
    if (entry === undefined) {
      entry = {
        ...write,
        user: write.user ?? null,
        cause: write.cause ?? null,
        summary: write.summary ?? "",
      };
      known.set(write, entry);
    }
    return entry;
  });
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
