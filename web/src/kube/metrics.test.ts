import { expect, it } from "vitest";
import { metricText } from "./metrics";

it("reads a metric's name and amount, whatever its type", () => {
  const cpu = {
    type: "Resource",
    resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 60 } },
  };
  expect(metricText(cpu, "target")).toEqual({ name: "cpu", amount: "60%" });
  const queue = { type: "Pods", pods: { metric: { name: "depth" }, current: { averageValue: "30" } } };
  expect(metricText(queue, "current")).toEqual({ name: "depth", amount: "30" });
  expect(metricText(undefined, "current")).toEqual({ name: "", amount: "" });
});
