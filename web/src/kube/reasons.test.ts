import { expect, it } from "vitest";
import { ruleOfQos, ruleOfReason } from "./reasons";

it("explains the words of Kubernetes", () => {
  expect(ruleOfReason("CrashLoopBackOff")?.text).toContain("10s");
  expect(ruleOfReason("Init:CrashLoopBackOff")?.text).toContain("300s");
  expect(ruleOfReason("Running")).toBeUndefined();
  expect(ruleOfQos("BestEffort")?.text).toContain("first");
});
