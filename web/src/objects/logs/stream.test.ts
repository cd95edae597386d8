import { describe, expect, it } from "vitest";
import { compareTimes, LineCutter, parseLine, Resumer } from "./stream";

it("cuts lines across the pieces in which they arrive", () => {
  const cutter = new LineCutter();
  expect(cutter.take("one\ntw")).toEqual(["one"]);
  expect(cutter.take("o\n\nth")).toEqual(["two", ""]);
  expect(cutter.end()).toEqual(["th"]);
  expect(cutter.end()).toEqual([]);
});

it("takes time and text apart, and leaves what has no time as it is", () => {
  expect(parseLine("2026-01-01T00:00:00.123456789Z a b")).toEqual({
    time: "2026-01-01T00:00:00.123456789Z",
    text: "a b",
  });
  expect(parseLine("2026-01-01T00:00:00Z")).toEqual({ time: "2026-01-01T00:00:00Z", text: "" });
  expect(parseLine("unable to retrieve logs")).toEqual({ time: "", text: "unable to retrieve logs" });
});

it("orders times to the nanosecond, whatever their zone and precision", () => {
  expect(compareTimes("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.100000001Z")).toBeLessThan(0);
  expect(compareTimes("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.5Z")).toBeLessThan(0);
  expect(compareTimes("2026-01-01T00:00:00.10Z", "2026-01-01T00:00:00.1Z")).toBe(0);
  expect(compareTimes("", "2026-01-01T00:00:00Z")).toBe(-1);
});

describe("a log that is opened again", () => {
  const times = ["00:00:01.1", "00:00:01.5", "00:00:01.5", "00:00:02"].map((each) => `2026-01-01T${each}Z`);
  const take = (resumer: Resumer, all: readonly string[]) => all.filter((time) => resumer.isNew(time));

  it("passes what was seen over, and loses nothing that is new", () => {
    const resumer = new Resumer();
    expect(take(resumer, times.slice(0, 3))).toHaveLength(3);
    resumer.reopened();
    expect(resumer.sinceTime).toBe(times[2]);
    expect(take(resumer, times)).toEqual([times[3]]);
  });

  it("keeps a further line of the very time of the last one", () => {
    const resumer = new Resumer();
    take(resumer, times.slice(0, 2));
    resumer.reopened();
    expect(take(resumer, times)).toEqual([times[2], times[3]]);
  });

  it("can be opened again and again", () => {
    const resumer = new Resumer();
    take(resumer, times);
    for (let round = 0; round < 3; round += 1) {
      resumer.reopened();
      expect(take(resumer, times)).toEqual([]);
    }
  });
});
