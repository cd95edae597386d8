import { describe, expect, it } from "vitest";
import { columnWidths, windowAround } from "./virtual-window";

describe("the window of a long list", () => {
  it("holds what is on screen with rows to spare on both sides", () => {
    expect(windowAround(0, 25, 10_000)).toEqual({ first: 0, count: 80 });
    expect(windowAround(500, 525, 10_000)).toEqual({ first: 460, count: 120 });
  });

  it("stays the same while one scrolls a few rows", () => {
    expect(windowAround(503, 528, 10_000)).toEqual(windowAround(505, 530, 10_000));
  });

  it("ends with the list", () => {
    expect(windowAround(9_980, 9_999, 10_000)).toEqual({ first: 9_940, count: 60 });
  });
});

describe("a column", () => {
  it("is as wide as its longest text was, and does not shrink when that scrolls away", () => {
    const before = columnWidths([4, 20], [], 7);
    expect(before).toEqual([54, 166]);
    expect(columnWidths([4, 2], before, 7)).toBe(before);
  });
});
