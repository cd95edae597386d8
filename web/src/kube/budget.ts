import type { DisruptionBudget } from "./kinds";

/** How many evictions a budget allows now, and why, in a sentence. */
export function budgetSentence({ spec, status, metadata }: DisruptionBudget): string {
  const { disruptionsAllowed = 0, currentHealthy = 0, desiredHealthy = 0, expectedPods = 0 } = status ?? {};
  if (status === undefined || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return "Its controller has not seen it yet: evictions wait.";
  if (expectedPods === 0) return "No pods match its selector: it holds up nothing.";
  const asked =
    spec.minAvailable === undefined
      ? `maxUnavailable ${spec.maxUnavailable ?? ""}`
      : `minAvailable ${spec.minAvailable}`;
  const why = `${currentHealthy} of ${expectedPods} pods are healthy and ${asked} asks for ${desiredHealthy}`;
  if (disruptionsAllowed === 0) return `No pod may be evicted now: ${why}.`;
  return `${disruptionsAllowed} ${disruptionsAllowed === 1 ? "pod" : "pods"} may be evicted now: ${why}.`;
}
