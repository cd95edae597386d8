import { describe, expect, it } from "vitest";
import { RECORDED, at, until } from "../timeline/recorded.test-data";
import { type Drill, faultText, runLine, undoText, whenText } from "./drill";
import { lastRun } from "./measured";

const prediction = (text: string, withinSeconds: number, afterSeconds = 0, ofUndo = false) => ({
  text,
  withinSeconds,
  afterSeconds,
  ofUndo,
});

const base: Drill = {
  name: "api-server",
  title: "An API server is killed",
  loop: "(c)",
  fault: "kill-container",
  undo: "",
  undoAfterSeconds: 0,
  deadlineSeconds: 60,
  app: { namespace: "default", name: "hello" },
  predictions: [
    prediction("the kubelet runs it under a new ID", 3),
    prediction("the API server is ready again", 10),
  ],
};
const long: Drill = {
  ...base,
  name: "node-long",
  fault: "cut",
  undo: "heal",
  predictions: [
    prediction("the node is NotReady", 55, 40),
    prediction("the node's pods are replaced on other nodes", 355, 340),
    prediction("the node is Ready again", 5, 0, true),
    prediction("its old pods are gone and all replicas are ready", 60, 0, true),
  ],
};

describe("a drill in words", () => {
  it("says what is broken, what undoes it and how it is run", () => {
    expect(faultText(base)).toBe("the container's process is killed with SIGKILL");
    expect([undoText(base), undoText(long)]).toEqual([
      "",
      "when what is predicted of the fault has come true, the network is joined",
    ]);
    expect(undoText({ ...long, undo: "power-on", undoAfterSeconds: 3 })).toBe(
      "3 s later the node is started again",
    );
    expect([runLine(base, "homeostat"), runLine(base, "w")]).toEqual([
      "homeostat drill run api-server",
      "homeostat drill run api-server --name w",
    ]);
  });
  it("says when each prediction holds", () => {
    expect(long.predictions.map(whenText)).toEqual([
      "after 40 s to 55 s",
      "after 5 m 40 s to 5 m 55 s",
      "within 5 s of the undoing",
      "within 1 m 0 s of the undoing",
    ]);
  });
});

describe("prediction against measurement", () => {
  const run = (drill: Drill, revision: number, later = 1) => {
    const found = lastRun(drill, until(revision), at(revision).time + later);
    return found?.measured.map(({ at: seconds, state }) => [
      seconds === null ? null : Number(seconds.toFixed(2)),
      state,
    ]);
  };
  it("is open until the journal shows it, and late when its time is over", () => {
    expect(run(base, 321)).toEqual([
      [null, "open"],
      [null, "open"],
    ]);
    expect(run(base, 321, 5)).toEqual([
      [null, "late"],
      [null, "open"],
    ]);
    expect(run(base, 330)).toEqual([
      [0.07, "kept"],
      [0.26, "kept"],
    ]);
  });
  it("follows a node that is cut off for long", () => {
    expect(run(long, 507)?.slice(0, 3)).toEqual([
      [0, "kept"],
      [null, "open"],
      [null, "open"],
    ]);
    expect(run(long, 635)?.slice(0, 3)).toEqual([
      [0, "kept"],
      [60.41, "kept"],
      [0, "kept"],
    ]);
  });
  it("tells a short cut from a long one, and finds nothing of drills that did not run", () => {
    const short = { ...long, name: "node-cut" };
    expect(lastRun(short, RECORDED, 0)).toBeNull();
    expect(lastRun(short, until(392), at(392).time)).not.toBeNull();
    expect(lastRun({ ...base, name: "pod" }, RECORDED, 0)).toBeNull();
    expect(lastRun({ ...base, name: "scheduler" }, RECORDED, 0)).toBeNull();
  });
});
