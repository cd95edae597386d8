/** Chains of causes over the timeline's entries, and the arrows in them. */

import * as kube from "../kube/chain";
import type { Entry } from "./entry";

/** One write in a chain. `depth` is negative for causes, 0 for the write asked about, positive for consequences. */
export interface Link {
  entry: Entry;
  depth: number;
}

/** One arrow of a chain: the write that was seen, and the write that it led to. */
export interface Edge {
  from: Entry;
  to: Entry;
}

/** The causes and consequences of a write, oldest first; empty when it is not recorded. */
export function chain(entries: readonly Entry[], revision: number, linksMax = 60): Link[] {
  const links = kube.chain(entries, revision, linksMax);
  return links.map(({ write, depth }) => ({ entry: write as Entry, depth }));
}

/** The arrows among the links of a chain. */
export function edgesOf(links: readonly Link[]): Edge[] {
  const byRevision = new Map(links.map((link) => [link.entry.revision, link.entry]));
  return links.flatMap(({ entry }) =>
    kube.seenRevisions(entry).flatMap((revision) => {
      const from = byRevision.get(revision);
      return from ? [{ from, to: entry }] : [];
    }),
  );
}
