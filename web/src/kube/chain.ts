/** Chains of causes: from one recorded write back to its causes, and on to its consequences. */

/** An object at a revision that a loop read before it decided. */
export interface Seen {
  kind: string;
  namespace: string;
  name: string;
  revision: number;
}

/** One write of the journal, as `/homeostat/journal` answers with it. */
export interface Write {
  revision: number;
  /** Seconds since the epoch. */
  time: number;
  kind: string;
  namespace: string;
  name: string;
  verb: string;
  user?: string | null;
  cause?: { loop?: string; key?: string; note?: string; instance?: string; seen?: Seen[] } | null;
  summary?: string;
  /** Not recorded: worked out from managed fields and events. */
  inferred?: boolean;
}

/** One write in a chain. `depth` is negative for causes, 0 for the write asked about, positive for consequences. */
export interface Link {
  write: Write;
  depth: number;
}

/** The revisions that the write's loop reacted to. */
export function seenRevisions(write: Write): number[] {
  return (write.cause?.seen ?? []).map((seen) => seen.revision);
}

function consequences(writes: readonly Write[]): Map<number, number[]> {
  const reacting = new Map<number, number[]>();
  for (const write of writes)
    for (const revision of seenRevisions(write)) {
      const found = reacting.get(revision);
      if (found) found.push(write.revision);
      else reacting.set(revision, [write.revision]);
    }
  return reacting;
}

function reached(start: number, arrows: (from: number) => number[], linksMax: number): Map<number, number> {
  const found = new Map([[start, 0]]);
  let frontier = [start];
  for (let distance = 1; frontier.length > 0 && found.size < linksMax; distance += 1) {
    const nearby = new Set(frontier.flatMap(arrows));
    frontier = [...nearby].filter((each) => !found.has(each)).slice(0, Math.max(0, linksMax - found.size));
    for (const each of frontier) found.set(each, distance);
  }
  return found;
}

/** The causes and consequences of the write with this revision, oldest first; empty when it is not recorded. */
export function chain(writes: readonly Write[], revision: number, linksMax = 30): Link[] {
  const byRevision = new Map(writes.map((write) => [write.revision, write]));
  if (!byRevision.has(revision)) return [];
  const causesOf = (from: number) => {
    const write = byRevision.get(from);
    return write ? seenRevisions(write) : [];
  };
  const back = reached(revision, causesOf, linksMax);
  const forward = consequences(writes);
  const on = reached(revision, (from) => forward.get(from) ?? [], linksMax - back.size + 1);
  const depths = new Map(
    [...back].map(([found, depth]): [number, number] => [found, depth === 0 ? 0 : -depth]),
  );
  for (const [found, depth] of on) depths.set(found, depth);
  return [...depths]
    .sort(([a], [b]) => a - b)
    .flatMap(([found, depth]) => {
      const write = byRevision.get(found);
      return write ? [{ write, depth }] : [];
    });
}

/** The chains behind an object's last writes, newest first; a write that is in a newer chain has none of its own. */
export function chainsOf(
  writes: readonly Write[],
  object: { kind: string; namespace: string; name: string },
  chainsMax = 5,
): Link[][] {
  const own = writes.filter(
    ({ kind, namespace, name }) =>
      kind === object.kind && namespace === object.namespace && name === object.name,
  );
  const told = new Set<number>();
  const found: Link[][] = [];
  for (const write of own.sort((a, b) => b.revision - a.revision)) {
    if (told.has(write.revision)) continue;
    const links = chain(writes, write.revision);
    for (const link of links) if (link.depth <= 0) told.add(link.write.revision);
    found.push(links);
    if (found.length === chainsMax) break;
  }
  return found;
}

/** Who wrote: the loop and where it runs, as words. */
export function writer(write: Write): string {
  const loop = write.cause?.loop ?? write.user ?? "unknown";
  const instance = write.cause?.instance;
  // The holder of a lease is its host and a UUID.
  const host = instance ? instance.slice(0, Math.max(instance.lastIndexOf("_"), 0)) || instance : "";
  return host ? `${loop} on ${host}` : loop;
}
