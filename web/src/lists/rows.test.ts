import { describe, expect, it } from "vitest";
import type { Row } from "../live";
import { Flashes } from "./flashes";
import { extended, type Selection, toggled, withoutGone } from "./selection";

function row(uid: string, revision = "1", gone = false): Row {
  const texts = { name: uid, namespace: "", status: "", tone: "ok" } as const;
  return { uid, ...texts, cells: [], revision, created: 0, gone };
}

function rows(...all: Row[]): ReadonlyMap<number, Row> {
  return new Map(all.map((each, position) => [position, each]));
}

const nothing: Selection = new Map();

describe("a selection", () => {
  it("takes single rows and stretches of rows", () => {
    const shown = rows(row("a"), row("b"), row("c"), row("d"));
    expect([...toggled(toggled(nothing, row("a")), row("a")).keys()]).toEqual([]);
    expect([...extended(nothing, shown, 3, 1).keys()]).toEqual(["b", "c", "d"]);
  });

  it("loses what has been deleted, and nothing that only scrolled away", () => {
    const chosen = toggled(toggled(nothing, row("a")), row("b"));
    expect([...withoutGone(chosen, rows(row("a", "2", true))).keys()]).toEqual(["b"]);
    expect(withoutGone(chosen, rows(row("c")))).toBe(chosen);
  });
});

describe("a change of a row", () => {
  it("flashes for 600 ms, and anew when it changes again meanwhile", () => {
    const flashes = new Flashes();
    flashes.take(rows(row("a", "1")), 0);
    expect(flashes.flashOf("a", 0)).toBe("");
    flashes.take(rows(row("a", "2")), 100);
    const first = flashes.flashOf("a", 300);
    flashes.take(rows(row("a", "3")), 400);
    expect([first, flashes.flashOf("a", 500)].sort()).toEqual(["a", "b"]);
    expect(flashes.flashOf("a", 1001)).toBe("");
  });

  it("does not flash when a row comes into view", () => {
    const flashes = new Flashes();
    flashes.take(rows(row("a", "1")), 0);
    flashes.take(rows(row("b", "7")), 10);
    expect(flashes.flashOf("b", 10)).toBe("");
  });
});
