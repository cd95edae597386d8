/** Chains of causes: from one write back to its causes and on to its consequences, along the revisions loops had seen. */

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
  const byRevision = new Map(entries.map((entry) => [entry.revision, entry]));
  if (!byRevision.has(revision)) return [];
  const reacting = consequences(entries);
  const back = reached(revision, (each) => seenBy(byRevision.get(each)), linksMax);
  const on = reached(revision, (each) => reacting.get(each) ?? [], linksMax - back.size + 1);
  const depths = new Map<number, number>();
  for (const [each, depth] of back) if (byRevision.has(each)) depths.set(each, -depth);
  for (const [each, depth] of on) depths.set(each, depth);
  return [...depths]
    .sort(([a], [b]) => a - b)
    .flatMap(([each, depth]) => {
      const entry = byRevision.get(each);
      return entry ? [{ entry, depth }] : [];
    });
}

/** The arrows among the links of a chain. */
export function edgesOf(links: readonly Link[]): Edge[] {
  const byRevision = new Map(links.map((link) => [link.entry.revision, link.entry]));
  return links.flatMap(({ entry }) =>
    seenBy(entry).flatMap((revision) => {
      const from = byRevision.get(revision);
      return from ? [{ from, to: entry }] : [];
    }),
  );
}

function seenBy(entry: Entry | undefined): number[] {
  return (entry?.cause?.seen ?? []).map((seen) => seen.revision);
}

function consequences(entries: readonly Entry[]): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const entry of entries) {
    for (const revision of seenBy(entry)) {
      const known = found.get(revision);
      if (known) known.push(entry.revision);
      else found.set(revision, [entry.revision]);
    }
  }
  return found;
}

function reached(
  start: number,
  arrows: (revision: number) => number[],
  linksMax: number,
): Map<number, number> {
  const found = new Map([[start, 0]]);
  let frontier = [start];
  for (let distance = 1; frontier.length && found.size < linksMax; distance += 1) {
    const nearby = new Set(frontier.flatMap(arrows));
    frontier = [...nearby].filter((each) => !found.has(each)).slice(0, linksMax - found.size);
    for (const each of frontier) found.set(each, distance);
  }
  return found;
}
