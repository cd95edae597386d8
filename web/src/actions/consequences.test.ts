import { expect, it } from "vitest";
import type { KubeObject } from "../kube/object";
import { consequences } from "./consequences";

function object(kind: string, name: string, more: Record<string, unknown> = {}, owner = ""): KubeObject {
  const ownerReferences = owner
    ? [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner, controller: true }]
    : [];
  const metadata = {
    name,
    namespace: "d",
    uid: name,
    resourceVersion: "1",
    creationTimestamp: "",
    ownerReferences,
  };
  return { kind, ...more, metadata: { ...metadata, labels: { app: "web" } } };
}

const pods = ["a", "b"].map((name) => object("Pod", name, {}, "web-1"));
const slice = {
  ...object("EndpointSlice", "web-x", {
    endpoints: ["a", "b", "c"].map((uid) => ({
      addresses: ["x"],
      conditions: { ready: uid !== "b" },
      targetRef: { uid },
    })),
  }),
};
slice.metadata = { ...slice.metadata, labels: { "kubernetes.io/service-name": "web" } };
const budget = object("PodDisruptionBudget", "web", {
  spec: { selector: { matchLabels: { app: "web" } } },
  status: { disruptionsAllowed: 1 },
});
const around = [object("ReplicaSet", "web-1", {}, "web"), ...pods, slice, budget];

const texts = (target: KubeObject, propagation = "Background") =>
  consequences(target, around, propagation).map(({ text }) => text);

it("a Deployment takes its replica sets and pods with it, and the endpoints that they are", () => {
  expect(texts(object("Deployment", "web"))).toEqual([
    "1 ReplicaSet, 2 Pods go with it.",
    "Service web loses 1 of 2 ready endpoints.",
    expect.stringContaining("allows 1 disruptions now, and this ends 2"),
  ]);
});

it("orphaned dependents stay, with their endpoints", () => {
  expect(texts(object("Deployment", "web"), "Orphan")).toEqual([
    "1 ReplicaSet, 2 Pods stay, without an owner.",
  ]);
});

it("a pod is made anew by its controller, and a pod without one is not", () => {
  expect(texts(pods[0] ?? budget)[0]).toBe("ReplicaSet web-1 makes another one.");
  expect(texts(object("Pod", "lone"))).toEqual(["No controller makes another one."]);
});

it("a config map names the pods that use it", () => {
  const spec = { volumes: [{ name: "v", configMap: { name: "settings" } }], containers: [] };
  const others = [object("Pod", "user", { spec }), object("Pod", "other", { spec: { containers: [] } })];
  expect(consequences(object("ConfigMap", "settings"), others, "Background")[0]?.text).toMatch(
    /^1 pod uses it/,
  );
  expect(consequences(object("Secret", "settings"), others, "Background")).toEqual([]);
});
