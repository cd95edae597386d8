import { expect, it } from "vitest";
import { chain } from "./chain";
import { inferWrites, loopOfManager } from "./inferred";
import type { KubeEvent } from "./kinds";
import type { KubeObject } from "./object";

const time = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

function object(kind: string, name: string, second: number, more: Record<string, unknown> = {}): KubeObject {
  const metadata = {
    name,
    namespace: "d",
    uid: name,
    resourceVersion: "1",
    creationTimestamp: time(second),
    ...more,
  };
  return { kind, metadata };
}

const owner = (kind: string, name: string) => [
  { apiVersion: "apps/v1", kind, name, uid: name, controller: true },
];
const deployment = object("Deployment", "web", 0, {
  managedFields: [{ manager: "kubectl-client-side-apply", operation: "Update", time: time(10) }],
});
const replicaSet = object("ReplicaSet", "web-1", 11, { ownerReferences: owner("Deployment", "web") });
const pod: KubeObject = {
  ...object("Pod", "web-1-a", 12, {
    ownerReferences: owner("ReplicaSet", "web-1"),
    managedFields: [{ manager: "kubelet", operation: "Update", subresource: "status", time: time(15) }],
  }),
  spec: { nodeName: "worker-1" },
};
const event: KubeEvent = {
  ...object("Event", "e", 13),
  reason: "Scheduled",
  message: "Successfully assigned",
  lastTimestamp: time(13),
  source: { component: "default-scheduler" },
  involvedObject: { kind: "Pod", name: "web-1-a", uid: "web-1-a" },
};

it("infers who wrote what, and links each write to the latest that may have caused it", () => {
  const writes = inferWrites([pod, deployment, replicaSet], [event]);
  const last = writes.at(-1);
  expect(last).toMatchObject({ kind: "Pod", cause: { loop: "kubelet/worker-1" }, inferred: true });
  const links = chain(writes, last?.revision ?? 0);
  expect(links.map(({ write }) => write.cause?.loop)).toEqual([
    "unknown",
    "user/kubectl-client-side-apply",
    "controller-manager/deployment",
    "controller-manager/replicaset",
    "scheduler",
    "kubelet/worker-1",
  ]);
});

it("names the loop of the controller manager by what it writes", () => {
  expect(loopOfManager("kube-controller-manager", pod)).toBe("controller-manager/replicaset");
  expect(loopOfManager("kube-controller-manager", object("EndpointSlice", "x", 0))).toBe(
    "controller-manager/endpointslice",
  );
  expect(loopOfManager("replicaset-controller", deployment)).toBe("controller-manager/replicaset");
});
