/** Faults as the journal shows them: nobody writes "a fault was injected", but a kubelet notes how a container ended. */

import { type Entry, componentOf, loopOf, partOf } from "./entry";
import { moveOf } from "./moves";

/** What failed. `what` is a sentence's beginning, in words. */
export interface Fault {
  kind: "container" | "node" | "deletion" | "pressure";
  what: string;
  entry: Entry;
}

const ENDED = /container (\S+) ended with (-?\d+)/g;
const SIGKILL = 137;

const known = new WeakMap<Entry, Fault | null>();

/** The fault that this write reports, or null when it reports none; worked out once. */
export function faultOf(entry: Entry): Fault | null {
  let fault = known.get(entry);
  if (fault === undefined) {
    fault = containerFault(entry) ?? nodeFault(entry) ?? deletionFault(entry);
    known.set(entry, fault);
  }
  return fault;
}

/** All faults in the order of the entries. */
export function faultsOf(entries: readonly Entry[]): Fault[] {
  return entries.map(faultOf).filter((fault) => fault !== null);
}

function containerFault(entry: Entry): Fault | null {
  const note = entry.cause?.note ?? "";
  if (entry.kind !== "Pod" || !note.includes("ended with") || note.includes("being stopped")) return null;
  for (const [, container, code] of note.matchAll(ENDED)) {
    if (code === "0") continue;
    const how = Number(code) === SIGKILL ? "was killed (137: SIGKILL)" : `ended with ${code}`;
    const who = entry.name.startsWith(container ?? "")
      ? entry.name
      : `container ${container} of ${entry.name}`;
    return { kind: "container", what: `${who} ${how}`, entry };
  }
  return null;
}

function nodeFault(entry: Entry): Fault | null {
  if (entry.kind !== "Node") return null;
  const ready = moveOf(entry.summary, "Ready");
  if (ready && ready.from === "True") {
    const silent = ready.to === "Unknown";
    const what = silent
      ? "stopped reporting and is NotReady"
      : `is NotReady (${ready.reason || "not ready"})`;
    return { kind: "node", what: `${entry.name} ${what}`, entry };
  }
  for (const condition of ["MemoryPressure", "DiskPressure", "PIDPressure"]) {
    if (moveOf(entry.summary, condition)?.to === "True")
      return { kind: "pressure", what: `${entry.name} has ${condition}`, entry };
  }
  return null;
}

function deletionFault(entry: Entry): Fault | null {
  const loop = loopOf(entry);
  if (entry.kind !== "Pod" || componentOf(loop) !== "user") return null;
  const asked = entry.summary.includes("deletion asked") || entry.verb === "DELETED";
  return asked ? { kind: "deletion", what: `${partOf(loop)} deleted Pod ${entry.name}`, entry } : null;
}
