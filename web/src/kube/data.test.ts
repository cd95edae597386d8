import { expect, it } from "vitest";
import { decoded, encoded, keysOf } from "./data";

const metadata = { name: "x", uid: "u", resourceVersion: "1", creationTimestamp: "" };

it("a Secret's keys have lengths and no values", () => {
  expect(keysOf({ kind: "Secret", metadata, data: { b: 12, a: "aGFsbG8=" } })).toEqual([
    { key: "a", length: 5, value: "" },
    { key: "b", length: 12, value: "" },
  ]);
});

it("a ConfigMap's lengths are bytes, not characters", () => {
  expect(keysOf({ kind: "ConfigMap", metadata, data: { a: "é" } })).toEqual([
    { key: "a", length: 2, value: "é" },
  ]);
});

it("encodes and decodes text, and does not pretend that bytes are text", () => {
  expect(decoded(encoded("grüße"))).toBe("grüße");
  expect(decoded("/w==")).toMatch(/^\(1 bytes that are no text\)/);
});
