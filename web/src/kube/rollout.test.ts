import { expect, it } from "vitest";
import type { Workload } from "./kinds";
import { rolloutOf, rolloutSentence } from "./rollout";

function workload(status: Workload["status"], more: Partial<Workload["spec"]> = {}): Workload {
  const annotations = { "deployment.kubernetes.io/revision": "2" };
  return {
    kind: "Deployment",
    metadata: {
      name: "web",
      uid: "u",
      resourceVersion: "1",
      creationTimestamp: "",
      generation: 1,
      annotations,
    },
    spec: { replicas: 3, template: { spec: { containers: [{ name: "app", image: "web:2" }] } }, ...more },
    status: { observedGeneration: 1, ...status },
  };
}

it.each([
  [
    { updatedReplicas: 1, replicas: 4, readyReplicas: 3 },
    "1 of 3 pods have the newest template; old ones leave",
  ],
  [
    { updatedReplicas: 3, replicas: 4, readyReplicas: 3 },
    "All 3 pods have the newest template; 1 old ones are still",
  ],
  [{ updatedReplicas: 3, replicas: 3, readyReplicas: 2 }, "All 3 pods exist; 1 are not ready."],
  [{ updatedReplicas: 3, replicas: 3, readyReplicas: 3 }, "All 3 pods are up to date and ready."],
  [{ observedGeneration: 0 }, "Its controller has not seen the newest spec yet."],
])("tells how a rollout stands: %j", (status, text) => {
  expect(rolloutSentence(workload(status))).toContain(text);
});

it("orders replica sets by revision and knows the current one", () => {
  const old = workload({ readyReplicas: 1 }, { replicas: 1 });
  const metadata = { ...old.metadata, annotations: { "deployment.kubernetes.io/revision": "1" } };
  const rows = rolloutOf(workload({}), [{ ...old, metadata }, workload({ readyReplicas: 2 })]);
  expect(rows.map(({ isNew, ready }) => [isNew, ready])).toEqual([
    [true, 2],
    [false, 1],
  ]);
});
