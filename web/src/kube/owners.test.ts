import { expect, it } from "vitest";
import type { KubeObject } from "./object";
import { controllerOf, countText, dependents } from "./owners";

function object(kind: string, name: string, ...owners: string[]): KubeObject {
  const ownerReferences = owners.map((uid) => ({
    apiVersion: "v1",
    kind: "X",
    name: uid,
    uid,
    controller: true,
  }));
  return {
    kind,
    metadata: { name, uid: name, resourceVersion: "1", creationTimestamp: "", ownerReferences },
  };
}

const objects = [
  object("ReplicaSet", "web-1", "web"),
  object("Pod", "b", "web-1"),
  object("Pod", "a", "web-1"),
  object("Pod", "other", "db"),
];

it("finds what an object owns, downwards", () => {
  const tree = dependents(object("Deployment", "web"), objects);
  expect(tree.children.map(({ object: { metadata } }) => metadata.name)).toEqual(["web-1"]);
  expect(tree.children[0]?.children.map(({ object: { metadata } }) => metadata.name)).toEqual(["a", "b"]);
  expect(countText(tree)).toBe("1 ReplicaSet, 2 Pods");
});

it("ends where objects own each other", () => {
  const tree = dependents(object("A", "a", "b"), [object("A", "a", "b"), object("B", "b", "a")]);
  expect(tree.children).toHaveLength(1);
  expect(tree.children[0]?.children).toEqual([]);
});

it("knows the controller of an object", () => {
  expect(controllerOf(object("Pod", "a", "web-1"))?.name).toBe("web-1");
  expect(controllerOf(object("Pod", "a"))).toBeUndefined();
});
