import { expect, it } from "vitest";
import { budgetSentence } from "./budget";
import type { DisruptionBudget } from "./kinds";

function budget(status: DisruptionBudget["status"]): DisruptionBudget {
  const metadata = { name: "web", uid: "u", resourceVersion: "1", creationTimestamp: "", generation: 1 };
  return { metadata, spec: { minAvailable: 2 }, status: { observedGeneration: 1, ...status } };
}

it.each([
  [
    { disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3 },
    "1 pod may be evicted now: 3 of 3",
  ],
  [
    { disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 2, expectedPods: 3 },
    "No pod may be evicted now: 2 of 3",
  ],
  [{ expectedPods: 0 }, "No pods match its selector"],
  [{ observedGeneration: 0 }, "has not seen it yet"],
])("says what a budget allows and why: %j", (status, text) => {
  expect(budgetSentence(budget(status))).toContain(text);
});
