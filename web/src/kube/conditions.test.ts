import { expect, it } from "vitest";
import { conditionTone } from "./conditions";

it.each([
  ["Ready", "True", "ok"],
  ["Ready", "False", "trouble"],
  ["Ready", "Unknown", "trouble"],
  ["MemoryPressure", "False", "ok"],
  ["MemoryPressure", "True", "trouble"],
  ["ReplicaFailure", "True", "trouble"],
  ["DisruptionTarget", "True", "trouble"],
  ["Available", "False", "trouble"],
])("%s is %s: %s", (type, status, tone) => {
  expect(conditionTone({ type, status })).toBe(tone);
});

it("a pod that ended well is not in trouble for not being ready", () => {
  expect(conditionTone({ type: "Ready", status: "False", reason: "PodCompleted" })).toBe("idle");
});
