import { describe, expect, it } from "vitest";
import { differences, flat } from "./before-after";
import { chain, edgesOf } from "./chains";
import { entriesOf } from "./entry";
import { lanesOf } from "./lanes";
import { marksOf } from "./marks";
import { openFaults } from "./open-faults";
import { svgText } from "./paint";
import { summed, withResult } from "./probe-log";
import { RECORDED, at, until } from "./recorded.test-data";
import { sceneHeight, sceneOf } from "./scene";

const window = { to: at(330).time + 0.1, span: 0.5, live: false };
const lanes = lanesOf(RECORDED);
const parts = {
  lanes,
  marks: marksOf(lanes, window, 1000),
  edges: edgesOf(chain(RECORDED, 321)),
  selected: 321,
  window,
  width: 1000,
  probes: [
    { at: window.to - 0.4, ms: 12, ok: true },
    { at: window.to - 0.2, ms: 5000, ok: false },
    { at: window.to - 0.1, ms: 30, ok: true },
  ],
};

describe("the timeline's picture", () => {
  const shapes = sceneOf(parts);
  it("has trouble as diamonds in the faults lane and that of who reported it", () => {
    expect(shapes.filter((shape) => shape.is === "diamond")).toHaveLength(2);
  });
  it("draws curves for the chosen chain only", () => {
    expect(shapes.filter((shape) => shape.is === "curve")).toHaveLength(3);
    expect(sceneOf({ ...parts, edges: [] }).filter((shape) => shape.is === "curve")).toHaveLength(0);
  });
  it("shows a client's failed request in red, and latency as a line", () => {
    const inks = shapes.flatMap((shape) => (shape.is === "rect" && shape.h === 4 ? [shape.ink] : []));
    expect(inks).toEqual(["ok-mark", "trouble", "ok-mark"]);
    expect(shapes.filter((shape) => shape.is === "trace")).toHaveLength(1);
  });
  it("is exported as SVG with its lanes' titles, and nothing in it is markup", () => {
    const palette = new Proxy({} as Parameters<typeof svgText>[1], { get: () => "#000" });
    const svg = svgText(shapes, palette, { width: 1000, height: sceneHeight(lanes.length), left: 150 }, [
      { text: "<faults>", y: 30 },
    ]);
    expect(svg).toContain("&lt;faults>");
    expect(svg.match(/<path/g)?.length).toBeGreaterThan(5);
  });
});

describe("before and after", () => {
  it("are the fields that differ, items of lists by what names them", () => {
    const conditions = (status: string) => ({
      status: {
        conditions: [
          { type: "Ready", status },
          { type: "A", status: "x" },
        ],
      },
    });
    expect(differences(conditions("True"), conditions("False"))).toEqual([
      { path: "status.conditions[Ready].status", before: "True", after: "False" },
    ]);
  });
  it("leave out what says nothing", () => {
    expect(
      differences({ metadata: { resourceVersion: "1" } }, { metadata: { resourceVersion: "2" } }),
    ).toEqual([]);
    expect([...flat({ a: [], b: {}, c: [1] })]).toEqual([
      ["a", "[]"],
      ["b", "{}"],
      ["c[0]", "1"],
    ]);
  });
  it("are one-sided for what was created or deleted", () => {
    expect(differences(null, { a: "1" })).toEqual([{ path: "a", before: null, after: "1" }]);
  });
});

describe("entries", () => {
  it("stay the same objects while others follow", () => {
    const [first, second] = [{ revision: 1 }, { revision: 2 }];
    expect(entriesOf([first, second])[0]).toBe(entriesOf([first])[0]);
    expect(entriesOf([first])[0]).toMatchObject({ user: null, cause: null, summary: "" });
  });
});

describe("open faults", () => {
  it("are those whose object is not well again", () => {
    const now = at(507).time;
    const shown = openFaults(until(507), now).map(({ fault, healedAt }) => [fault.entry.name, healedAt > 0]);
    expect(shown).toEqual([
      ["worker-1", false],
      ["kube-apiserver-master-1", true],
    ]);
    expect(openFaults(RECORDED, at(635).time).every(({ healedAt }) => healedAt > 0)).toBe(true);
  });
  it("of long ago are left out", () => {
    expect(openFaults(RECORDED, at(635).time + 4000)).toEqual([]);
  });
});

describe("what a client observes", () => {
  it("is summed up in words", () => {
    const log = withResult(withResult([], { at: 1, ms: 12, ok: true }), { at: 2, ms: 84, ok: false });
    expect(summed(log, 0).text).toBe("2 requests, 1 failed, the slowest took 84 ms");
    expect(summed(log, 5).text).toBe("0 requests, none failed");
  });
});
