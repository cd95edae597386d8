import { expect, it } from "vitest";
import { matches, selects, selectorText } from "./selectors";

const selector = {
  matchLabels: { app: "web" },
  matchExpressions: [
    { key: "tier", operator: "In", values: ["front", "back"] },
    { key: "old", operator: "DoesNotExist" },
  ],
};

it("matches labels by all requirements", () => {
  expect(matches(selector, { app: "web", tier: "front" })).toBe(true);
  expect(matches(selector, { app: "web", tier: "front", old: "1" })).toBe(false);
  expect(matches(selector, { app: "web" })).toBe(false);
  expect(matches({ matchExpressions: [{ key: "a", operator: "NotIn", values: ["b"] }] }, {})).toBe(true);
});

it("an empty selector matches everything, a missing one nothing", () => {
  expect(matches({}, {})).toBe(true);
  expect(matches(undefined, { app: "web" })).toBe(false);
});

it("a Service without selector selects nothing", () => {
  expect(selects({}, { app: "web" })).toBe(false);
  expect(selects({ app: "web" }, { app: "web", x: "y" })).toBe(true);
});

it("writes a selector as kubectl reads it", () => {
  expect(selectorText(selector)).toBe("app=web,tier in (front,back),!old");
});
