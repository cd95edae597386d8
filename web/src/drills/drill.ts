/** The drills as the back end lists them, and their predictions in words. */

import { span } from "../kube/ages";

/** One prediction of a drill; times are in seconds after the fault, or after its undoing. */
export interface Prediction {
  readonly text: string;
  readonly withinSeconds: number;
  readonly afterSeconds: number;
  readonly ofUndo: boolean;
}

/** One drill. */
export interface Drill {
  readonly name: string;
  readonly title: string;
  /** Which of the four loops it shows. */
  readonly loop: string;
  readonly fault: string;
  readonly undo: string;
  readonly undoAfterSeconds: number;
  readonly deadlineSeconds: number;
  readonly app: { readonly namespace: string; readonly name: string };
  readonly predictions: readonly Prediction[];
}

const FAULTS: Readonly<Record<string, string>> = {
  "kill-container": "the container's process is killed with SIGKILL",
  "delete-pod": "the pod is deleted",
  "kill-agent": "the node's kubelet is killed with SIGKILL",
  "power-off": "everything on the node ends at once",
  cut: "the node's network is cut off",
};
const UNDOINGS: Readonly<Record<string, string>> = {
  "power-on": "the node is started again",
  heal: "the network is joined",
};

/** What is broken, in words. */
export function faultText(drill: Drill): string {
  return FAULTS[drill.fault] ?? drill.fault;
}

/** What undoes it and when; empty where the loops alone mend it. */
export function undoText(drill: Drill): string {
  if (drill.undo === "") return "";
  const what = UNDOINGS[drill.undo] ?? drill.undo;
  return drill.undoAfterSeconds > 0
    ? `${span(drill.undoAfterSeconds)} later ${what}`
    : `when what is predicted of the fault has come true, ${what}`;
}

/** When something is predicted to hold: `within 3 s`, `after 40 s to 55 s`. */
export function whenText({ withinSeconds, afterSeconds, ofUndo }: Prediction): string {
  const from = ofUndo ? " of the undoing" : "";
  return afterSeconds > 0
    ? `after ${span(afterSeconds)} to ${span(withinSeconds)}${from}`
    : `within ${span(withinSeconds)}${from}`;
}

/** The command that runs it. */
export function runLine(drill: Drill, cluster: string): string {
  const name = cluster === "" || cluster === "homeostat" ? "" : ` --name ${cluster}`;
  return `homeostat drill run ${drill.name}${name}`;
}
