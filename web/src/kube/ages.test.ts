import { expect, it } from "vitest";
import { ago, durationSeconds } from "./ages";

it("says what is to come and what was", () => {
  expect(ago(12)).toBe("12 s ago");
  expect(ago(0.2)).toBe("just now");
  expect(ago(-4.2)).toBe("in 5 s");
});

it("reads durations as Go writes them", () => {
  expect(durationSeconds("1m30s")).toBe(90);
  expect(durationSeconds("40")).toBe(40);
  expect(durationSeconds("100ms")).toBeCloseTo(0.1);
  expect(durationSeconds("2m40s")).toBe(160);
  expect(durationSeconds("soon")).toBeUndefined();
});
