import { expect, it } from "vitest";
import { added, asText, matcher, plain } from "./buffer";

const line = (id: number, text = "", source = "") => ({ id, source, time: "2026-01-01T00:00:00Z", text });

it("keeps the newest lines when there are too many", () => {
  const lines = added([line(1), line(2)], [line(3), line(4)], 3);
  expect(lines.map(({ id }) => id)).toEqual([2, 3, 4]);
  expect(added(lines, [])).toBe(lines);
});

it("searches by text and by expression", () => {
  expect(matcher("ERR")?.("an error")).toBe(true);
  expect(matcher("/^an .*r$/")?.("an error")).toBe(true);
  expect(matcher("/(/")).toBeNull();
  expect(matcher("")?.("anything")).toBe(true);
});

it("writes lines as a file", () => {
  expect(asText([line(1, "hello", "web/app")], true)).toBe("web/app 2026-01-01T00:00:00Z hello\n");
  expect(asText([line(1, "hello")], false)).toBe("hello\n");
});

it("takes a terminal's colours off", () => {
  expect(plain("\u001b[31mred\u001b[0m text")).toBe("red text");
});
