/** Faults of the last hour and whether each has healed. */

import { type Entry, objectKey } from "./entry";
import { type Fault, faultOf } from "./faults";
import { moveOf } from "./moves";

/** A fault, and when what it hit was well again (seconds since the epoch; 0 while it is not). */
export interface OpenFault {
  fault: Fault;
  healedAt: number;
}

const LATELY_SECONDS = 3600;

/** The faults, newest first; of an object that failed again before it was well, the first. */
export function openFaults(entries: readonly Entry[], now: number): OpenFault[] {
  const found: OpenFault[] = [];
  const open = new Map<string, OpenFault>();
  for (const entry of entries) {
    const key = objectKey(entry);
    const known = open.get(key);
    if (known && isWell(entry)) {
      known.healedAt = entry.time;
      open.delete(key);
    }
    const fault = faultOf(entry);
    if (!fault || open.has(key) || now - entry.time > LATELY_SECONDS) continue;
    const begun = { fault, healedAt: fault.kind === "deletion" ? entry.time : 0 };
    found.push(begun);
    if (!begun.healedAt) open.set(key, begun);
  }
  return found.reverse();
}

/** Whether a write says that its object is well, or no more. */
function isWell(entry: Entry): boolean {
  return entry.verb === "DELETED" || moveOf(entry.summary, "Ready")?.to === "True";
}
