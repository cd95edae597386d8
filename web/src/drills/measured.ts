/** What the journal shows of a drill's predictions: prediction against measurement. */

import { type Entry, objectKey } from "../timeline/entry";
import { type Fault, faultOf } from "../timeline/faults";
import { moveOf } from "../timeline/moves";
import type { Drill, Prediction } from "./drill";

/** One prediction, and when it came true: seconds after the fault or the undoing, null while it has not. */
export interface Measured {
  readonly prediction: Prediction;
  readonly at: number | null;
  /** `early` is before it was predicted to hold, `late` after; `open` can still come true. */
  readonly state: "kept" | "early" | "late" | "open";
}

/** A fault of the kind that a drill injects, as the journal has it. */
export interface Run {
  readonly fault: Fault;
  /** When what was broken was put back, as far as it shows; 0 while it was not. */
  readonly undoneAt: number;
  readonly measured: readonly Measured[];
}

/** The newest fault that the drill could have injected, measured at `now`; null without one. */
export function lastRun(drill: Drill, entries: readonly Entry[], now: number): Run | null {
  const fault = entries.map(faultOf).findLast((each) => each !== null && isOf(drill, each, entries));
  if (!fault) return null;
  const after = entries.filter((entry) => entry.revision > fault.entry.revision);
  const healed = drill.undo === "" ? undefined : after.find((entry) => isReady(entry, fault));
  const undoneAt = healed?.time ?? 0;
  const measured = drill.predictions.map((each) => measure(each, drill, fault, after, undoneAt, now));
  return { fault, undoneAt, measured };
}

/** Whether a drill's fault looks like this one. */
function isOf(drill: Drill, { kind, entry }: Fault, entries: readonly Entry[]): boolean {
  const isApp = entry.namespace === drill.app.namespace && entry.name.startsWith(`${drill.app.name}-`);
  switch (drill.name) {
    case "container":
      return kind === "container" && isApp;
    case "pod":
      return kind === "deletion" && isApp;
    case "api-server":
      return kind === "container" && entry.name.startsWith("kube-apiserver-");
    case "controller-manager":
    case "scheduler":
      return kind === "container" && entry.name.startsWith(`kube-${drill.name}-`);
    case "node-cut":
      return kind === "node" && !wasEvicted(entry, entries);
    case "node-long":
      return kind === "node" && wasEvicted(entry, entries);
    default:
      return false;
  }
}

function wasEvicted(node: Entry, entries: readonly Entry[]): boolean {
  const isWell = (entry: Entry) =>
    objectKey(entry) === objectKey(node) && moveOf(entry.summary, "Ready")?.to === "True";
  const after = entries.filter((entry) => entry.revision > node.revision);
  const end = after.findIndex(isWell);
  return (end < 0 ? after : after.slice(0, end)).some((entry) => isEviction(entry, node.name));
}

function isEviction(entry: Entry, node: string): boolean {
  return entry.summary.includes("deletion asked") && (entry.cause?.note ?? "").startsWith(`node ${node}:`);
}

function isReady(entry: Entry, fault: Fault): boolean {
  return objectKey(entry) === objectKey(fault.entry) && moveOf(entry.summary, "Ready")?.to === "True";
}

type Sign = (entry: Entry, fault: Fault, drill: Drill) => boolean;

/** By which write a prediction shows to have come true. */
const SIGNS: readonly (readonly [RegExp, Sign])[] = [
  [
    /under a new ID$/,
    (entry, fault) =>
      objectKey(entry) === objectKey(fault.entry) && moveOf(entry.summary, "restarts") !== undefined,
  ],
  [/node is Ready again$|is ready again|runs again$/, isReady],
  [/created a replacement$/, (entry) => entry.kind === "Pod" && entry.verb === "ADDED"],
  [
    /another instance leads$/,
    (entry, _, drill) => entry.kind === "Lease" && entry.name === `kube-${drill.name}`,
  ],
  [
    /replaced on other nodes$/,
    (entry, _, drill) =>
      entry.kind === "Deployment" &&
      entry.name === drill.app.name &&
      moveOf(entry.summary, "Available")?.to === "True",
  ],
  [
    /all replicas are ready$/,
    (entry, _, drill) =>
      entry.name === drill.app.name &&
      entry.kind === "Deployment" &&
      grew(moveOf(entry.summary, "status.readyReplicas")),
  ],
];

function grew(move: { from: string; to: string } | undefined): boolean {
  return move !== undefined && (Number(move.from) || 0) < (Number(move.to) || 0);
}

function measure(
  prediction: Prediction,
  drill: Drill,
  fault: Fault,
  after: readonly Entry[],
  undoneAt: number,
  now: number,
): Measured {
  const zero = prediction.ofUndo ? undoneAt : fault.entry.time;
  if (prediction.ofUndo && undoneAt === 0) return { prediction, at: null, state: "open" };
  if (prediction.text === "the node is NotReady") return { prediction, at: 0, state: "kept" };
  if (prediction.text === "no pod was evicted") {
    const evicted = after.find((entry) => isEviction(entry, fault.entry.name));
    return { prediction, at: evicted ? evicted.time - zero : 0, state: evicted ? "late" : "kept" };
  }
  const sign = SIGNS.find(([text]) => text.test(prediction.text))?.[1];
  const found = sign && after.find((entry) => entry.time >= zero && sign(entry, fault, drill));
  const isOver = now - zero > prediction.withinSeconds;
  if (!found) return { prediction, at: null, state: isOver && sign ? "late" : "open" };
  const at = found.time - zero;
  // A node's fault is known from when it was marked: what is counted from the cut came that much later.
  const early = fault.kind !== "node" && at < prediction.afterSeconds;
  return { prediction, at, state: early ? "early" : at > prediction.withinSeconds ? "late" : "kept" };
}
