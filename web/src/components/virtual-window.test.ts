import { describe, expect, it } from "vitest";
import { windowAround } from "./virtual-window";

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
