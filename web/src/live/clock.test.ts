import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { clockOffset, setServerTime } from "./clock";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the cluster's time", () => {
  it("is not put back by a message that was late", () => {
    setServerTime(1_002);
    expect(clockOffset.value).toBeCloseTo(2);
    setServerTime(1_000.5);
    expect(clockOffset.value).toBeCloseTo(2);
  });

  it("follows a clock that was put back, after some messages", () => {
    for (let times = 0; times < 6; times++) setServerTime(990);
    expect(clockOffset.value).toBeCloseTo(-10);
  });
});
