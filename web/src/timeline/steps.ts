/** How long each step of a chain took. */

import type { Link } from "./chains";
import type { Entry } from "./entry";

/** One step: a write, how long after the newest write that it reacted to, and how long after the chain's beginning. */
export interface Step {
  entry: Entry;
  depth: number;
  /** Seconds since what it reacted to; null where it reacted to nothing of the chain. */
  took: number | null;
  since: number;
}

/** The steps of a chain in its order. */
export function stepsOf(links: readonly Link[]): Step[] {
  const times = new Map(links.map(({ entry }) => [entry.revision, entry.time]));
  const zero = links[0]?.entry.time ?? 0;
  return links.map(({ entry, depth }) => {
    const seen = (entry.cause?.seen ?? []).flatMap(({ revision }) => times.get(revision) ?? []);
    const took = seen.length ? Math.max(0, entry.time - Math.max(...seen)) : null;
    return { entry, depth, took, since: entry.time - zero };
  });
}

/** `12 ms`, `1.24 s`, `3 m 20 s`: a step's length as precisely as it matters. */
export function stepText(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} m ${whole % 60} s`;
}
