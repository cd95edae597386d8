import { describe, expect, it } from "vitest";
import type { Column, Row } from "../live";
import { cellText, columnsOf, fitting, widthsOf } from "./columns";

const columns: Column[] = [
  { name: "Name", kind: "text", wide: false },
  { name: "Age", kind: "age", wide: false },
  { name: "IP", kind: "text", wide: true },
  { name: "Node", kind: "text", wide: true },
  { name: "Gates", kind: "text", wide: true },
];
const base = { uid: "u", status: "", tone: "ok", revision: "1", created: 100, gone: false } as const;
const row: Row = {
  ...base,
  name: "web",
  namespace: "shop",
  cells: ["web", 100, "10.42.0.12", "worker-1", null],
};
const measure = (text: string): number => text.length * 7;

function sumOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0);
}

describe("the columns of a list", () => {
  it("have the namespace behind the name where several are shown", () => {
    const names = columnsOf(columns, true).map((each) => each.name);
    expect(names).toEqual(["Name", "Namespace", "Age", "IP", "Node", "Gates"]);
    expect(columnsOf(columns, false)).toHaveLength(5);
  });

  it("say what is in a cell: ages count from the cluster's time, nothing is a dash", () => {
    const texts = columnsOf(columns, true).map((column) => cellText(row, column, 145));
    expect(texts).toEqual(["web", "shop", "45s", "10.42.0.12", "worker-1", "–"]);
  });

  it("that are wide are shown while there is room, and only once something is in them", () => {
    const shown = columnsOf(columns, false);
    const widths = widthsOf(shown, [row], [], measure);
    const names = (room: number): readonly string[] => fitting(shown, widths, room).map((each) => each.name);
    expect(names(sumOf(widths))).toEqual(["Name", "Age", "IP", "Node"]);
    expect(names(sumOf(widths) - 1)).toEqual(["Name", "Age", "Node"]);
    expect(names(10)).toEqual(["Name", "Age", "Node"]);
  });

  it("keep their widths when what was long scrolls away", () => {
    const shown = columnsOf(columns, false);
    const long: Row = { ...row, cells: ["a-much-longer-name-than-web", 100, null, null, "gate"] };
    const widths = widthsOf(shown, [long], [], measure);
    expect(widthsOf(shown, [], widths, measure)).toBe(widths);
    expect(widthsOf(shown, [row], widths, measure)[0]).toBe(widths[0]);
  });

  it("are cut where they are widest before anything leaves the page", () => {
    const shown = columnsOf(columns.slice(0, 2), false);
    const long: Row = { ...row, cells: ["a-name-of-a-pod-that-is-really-rather-long", 100] };
    const widths = widthsOf(shown, [long], [], measure);
    const fit = fitting(shown, widths, sumOf(widths) - 50);
    expect(fit.map((each) => each.width)).toEqual([(widths[0] ?? 0) - 50, widths[1]]);
  });
});
