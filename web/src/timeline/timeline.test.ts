import { describe, expect, it } from "vitest";
import { chain } from "./chains";
import { laneOf, lanesOf } from "./lanes";
import { curveOf, marksOf, nearestMark, neighbour, readAt, shapeOf } from "./marks";
import { filterQuery, filtersOf, isShown, windowOf, windowQuery } from "./query";
import { RECORDED, at } from "./recorded.test-data";
import { stepText, stepsOf } from "./steps";
import { around, clockText, moved, ticksOf, timeAt, windowAt, xOf, zoomed } from "./window";

describe("lanes", () => {
  const lanes = lanesOf(RECORDED);
  it("stand in the order of cause", () => {
    expect(lanes.map((lane) => lane.id)).toEqual([
      "faults",
      "users",
      "kubelet/master-1",
      "kubelet/master-2",
      "kubelet/master-3",
      "kubelet/worker-1",
      "kubelet/worker-2",
      "control-plane",
      "elections",
      "node-lifecycle",
      "node-taints",
      "node-pods",
      "taint-eviction",
      "deployment",
      "replicaset",
      "scheduler",
      "bootstrapsigner",
      "csrapproving",
      "root-ca-certificate-publisher",
      "serviceaccount",
      "endpoints",
      "endpointslice",
    ]);
  });
  it("show a fault in its lane and in that of who reported it", () => {
    expect(lanes[0]?.entries.map((entry) => entry.revision)).toEqual([321, 374]);
    expect(laneOf(at(321)).id).toBe("kubelet/master-1");
  });
  it("have the faults lane even when nothing happened", () => {
    expect(lanesOf([]).map((lane) => lane.id)).toEqual(["faults"]);
  });
});

describe("the window", () => {
  const window = { to: 100, span: 50, live: false };
  it("keeps the time under the pointer while it zooms", () => {
    const nearer = zoomed(window, 0.5, 60);
    expect(nearer.span).toBe(25);
    expect(xOf(nearer, 500, 60)).toBeCloseTo(xOf(window, 500, 60));
    expect(timeAt(nearer, 500, xOf(nearer, 500, 77))).toBeCloseTo(77);
  });
  it("stays within its bounds", () => {
    expect(zoomed(window, 1e9, 60).span).toBe(86_400);
    expect(zoomed(window, 1e-9, 60).span).toBe(0.05);
  });
  it("follows the clock while it is live, and again when it is dragged beyond now", () => {
    expect(windowAt({ to: 0, span: 100, live: true }, 1000)).toEqual({ to: 1003, span: 100, live: true });
    expect(moved(window, -10, 200)).toEqual({ to: 90, span: 50, live: false });
    expect(moved(window, 200, 200).live).toBe(true);
  });
  it("frames a stretch of time with room on both sides", () => {
    expect(around(100, 110)).toEqual({ to: 111.5, span: 13, live: false });
  });
  it("has round ticks as dense as they can be read", () => {
    const ticks = ticksOf({ to: 1000, span: 100, live: false }, 1100);
    expect(ticks.map((tick) => tick.time)).toEqual([900, 910, 920, 930, 940, 950, 960, 970, 980, 990, 1000]);
    expect(clockText(1000.25, 0.1)).toMatch(/:40\.[23]$/);
    expect(clockText(1000, 60)).toMatch(/^\d\d:16$/);
  });
});

describe("the address", () => {
  it("has filters and range, and gives them back", () => {
    const filters = {
      search: "hello",
      namespace: "default",
      kinds: ["Pod"],
      hidden: ["users"],
      revision: 321,
    };
    expect(filtersOf(filterQuery(filters))).toEqual(filters);
    const window = { to: 1796072663.947, span: 30, live: false };
    expect(windowOf(windowQuery(window))).toEqual(window);
    expect(windowQuery(windowOf({}))).toEqual({ to: "", span: "" });
  });
  it("finds words anywhere in a write", () => {
    const filters = filtersOf({ search: "hello UNREACHABLE" });
    expect(RECORDED.filter((entry) => isShown(entry, filters)).map((entry) => entry.revision)).toEqual([
      376, 377, 503, 504, 505, 512,
    ]);
    expect(isShown(at(374), filtersOf({ ns: "default" }))).toBe(true);
    expect(isShown(at(321), filtersOf({ ns: "default" }))).toBe(false);
  });
});

describe("marks", () => {
  const lanes = lanesOf(RECORDED);
  const window = { to: at(330).time + 0.1, span: 0.5, live: false };
  const marks = marksOf(lanes, window, 1000);
  it("are the entries of the window at their times", () => {
    expect([...new Set(marks.map((mark) => mark.entry.revision))].sort()).toEqual([321, 323, 327, 329, 330]);
  });
  it("differ by shape", () => {
    expect([321, 330, 323, 376, 616].map((revision) => shapeOf(at(revision)))).toEqual([
      "trouble",
      "mend",
      "plain",
      "trouble",
      "plain",
    ]);
  });
  it("are found under the pointer, and only near it", () => {
    const [first] = marks;
    expect(first && nearestMark(marks, first.x + 5, first.y)?.entry.revision).toBe(321);
    expect(first && nearestMark(marks, first.x + 50, first.y)).toBeUndefined();
  });
  it("are reached by arrow keys", () => {
    const kubelet = marks.find((mark) => mark.entry.revision === 323);
    if (!kubelet) throw new Error("no mark");
    expect(neighbour(marks, kubelet, "ArrowRight")?.entry.revision).toBe(329);
    expect(neighbour(marks, kubelet, "ArrowLeft")?.entry.revision).toBe(321);
    expect(neighbour(marks, kubelet, "ArrowUp")?.lane).toBe(0);
    expect(neighbour(marks, kubelet, "ArrowDown")?.entry.revision).toBe(327);
  });
  it("never draw more than one plain mark a pixel and lane", () => {
    const entries = Array.from({ length: 5000 }, (_, index) => ({
      ...at(323),
      time: index / 100,
      revision: index,
    }));
    const found = marksOf(lanesOf(entries), { to: 50, span: 50, live: false }, 500);
    expect(found.length).toBeLessThanOrEqual(501);
  });
  it("are read by the cursor in all lanes at once", () => {
    const read = readAt(lanes, window, 1000, 999);
    const of = (id: string) => read[lanes.findIndex((lane) => lane.id === id)]?.revision;
    expect([of("faults"), of("kubelet/master-1"), of("control-plane"), of("deployment")]).toEqual([
      321,
      330,
      327,
      undefined,
    ]);
  });
  it("are joined by curves", () => {
    expect(curveOf({ x: 0, y: 11 }, { x: 100, y: 33 })).toBe("M0.0 11C50.0 11 50.0 33 100.0 33");
  });
});

describe("steps", () => {
  it("say how long each took since what it reacted to", () => {
    const steps = stepsOf(chain(RECORDED, 321));
    expect(
      steps.map((step) => [step.entry.revision, step.took === null ? null : stepText(step.took)]),
    ).toEqual([
      [321, null],
      [323, "68 ms"],
      [329, "131 ms"],
      [330, "57 ms"],
    ]);
  });
  it.each([
    [0.0124, "12 ms"],
    [1.236, "1.24 s"],
    [12.34, "12.3 s"],
    [200, "3 m 20 s"],
  ])("%f s is written %s", (value, text) => {
    expect(stepText(value)).toBe(text);
  });
});
