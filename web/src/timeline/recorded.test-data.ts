/** A real recording: an app is created, an API server is killed, then a worker is cut off until its pods are replaced. */

import recorded from "./recorded.jsonl?raw";
import { type Entry, entriesOf } from "./entry";

/** All entries, oldest first. */
export const RECORDED: Entry[] = entriesOf(
  recorded
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as object),
);

/** The entries up to a revision: what the journal held then. */
export function until(revision: number): Entry[] {
  return RECORDED.filter((entry) => entry.revision <= revision);
}

/** The recorded entry of a revision. Raises when there is none. */
export function at(revision: number): Entry {
  const found = RECORDED.find((entry) => entry.revision === revision);
  if (!found) throw new Error(`revision ${revision} was not recorded`);
  return found;
}
