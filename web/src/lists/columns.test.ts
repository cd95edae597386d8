import { describe, expect, it } from "vitest";
import type { Column, Row } from "../live";
import { cellText, columnsOf, fitting, widthsOf } from "./columns";

const columns: Column[] = [
  { name: "Name", kind: "text", wide: false },
  { name: "Age", kind: "age", wide: false },
  { name: "IP", kind: "text", wide: true },
  { name: "Node", kind: "text", wide: true },
];
const row: Row = {
  uid: "u",
  name: "web",
  namespace: "shop",
  cells: ["web", 100, "10.42.0.12", null],
  status: "",
  tone: "ok",
  revision: "1",
  created: 100,
  gone: false,
};

describe("the columns of a list", () => {
  it("have the namespace behind the name where several are shown", () => {
    expect(columnsOf(columns, true).map((each) => each.name)).toEqual([
      "Name",
      "Namespace",
      "Age",
      "IP",
      "Node",
    ]);
    expect(columnsOf(columns, false)).toHaveLength(4);
  });

  it("say what is in a cell: ages count from the cluster's time, nothing is a dash", () => {
    const shown = columnsOf(columns, true);
    expect(shown.map((column) => cellText(row, column, 145))).toEqual([
      "web",
      "shop",
      "45s",
      "10.42.0.12",
      "–",
    ]);
  });

  it("that are wide are shown while there is room", () => {
    const shown = columnsOf(columns, false);
    const widths = widthsOf(shown, [row], [], 7);
    const all = widths.reduce((sum, width) => sum + width, 0);
    expect(fitting(shown, widths, all)).toHaveLength(4);
    expect(fitting(shown, widths, all - 1).map((each) => each.name)).toEqual(["Name", "Age", "IP"]);
    expect(fitting(shown, widths, 10).map((each) => each.name)).toEqual(["Name", "Age"]);
  });
});
