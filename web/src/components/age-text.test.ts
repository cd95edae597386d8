import { describe, expect, it } from "vitest";
import { ageText, durationText } from "./age-text";

describe("an age", () => {
  it("is written as kubectl writes it", () => {
    const texts = [0, 119.9, 120, 192, 600, 10_799, 19_200, 90_000, 187_200, 8_380_800].map(ageText);
    expect(texts).toEqual(["0s", "119s", "2m", "3m12s", "10m", "179m", "5h20m", "25h", "2d4h", "97d"]);
  });

  it("is never negative, whatever the clocks say", () => {
    expect(ageText(-3)).toBe("0s");
  });
});

describe("a duration in a sentence", () => {
  it("has a unit after each number", () => {
    expect([0.01, 0.4, 12.2, 192, 3900].map(durationText)).toEqual([
      "0 s",
      "0.4 s",
      "12 s",
      "3 m 12 s",
      "1 h 5 m",
    ]);
  });
});
