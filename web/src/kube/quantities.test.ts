import { expect, it } from "vitest";
import { bytes, quantity, share } from "./quantities";

it.each([
  ["250m", 0.25],
  ["64Mi", 67108864],
  ["1e3", 1000],
  ["2", 2],
  [".5", 0.5],
  ["1E", 1e18],
])("reads the quantity %s", (text, value) => {
  expect(quantity(text)).toBe(value);
});

it("refuses what is no quantity", () => {
  expect(quantity("64MB")).toBeUndefined();
  expect(quantity("")).toBeUndefined();
  expect(quantity(undefined)).toBeUndefined();
});

it("prints bytes and shares for people", () => {
  expect(bytes(1610612736)).toBe("1.5 GiB");
  expect(bytes(512)).toBe("512 B");
  expect(share("500m", "2")).toBe(0.25);
  expect(share("1", "0")).toBe(Infinity);
});
