import { expect, it } from "vitest";
import type { KubeObject } from "../../live/protocol";
import { carryOver, changedSince, lastWriter, shortValue, takeTheirs } from "./edit";
import { editable, fromYaml, toYaml } from "./text";

function object(resourceVersion: string, replicas: number, labels: Record<string, string>): KubeObject {
  const metadata = { name: "web", namespace: "d", uid: "u", resourceVersion, creationTimestamp: "", labels };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas }, status: { replicas } };
}

const base = object("7", 2, {});

it("a new version that changed nothing of the spec is no change from outside", () => {
  expect(
    changedSince(base, { ...base, metadata: { ...base.metadata, resourceVersion: "8" }, status: {} }),
  ).toEqual([]);
  expect(changedSince(base, object("8", 3, {}))).toEqual(["spec.replicas"]);
});

it("an edit is carried over to the newest version with both changes and its resourceVersion", () => {
  const mine = toYaml(editable(object("7", 5, {})));
  const { text, clashes } = carryOver(base, mine, object("8", 2, { a: "b" }));
  expect(clashes).toEqual([]);
  expect(fromYaml(text)).toMatchObject({
    metadata: { resourceVersion: "8", labels: { a: "b" } },
    spec: { replicas: 5 },
  });
});

it("where both changed a field, either side can be taken", () => {
  const mine = toYaml(editable(object("7", 5, {})));
  const { text, clashes } = carryOver(base, mine, object("8", 3, {}));
  expect(clashes).toEqual([{ path: ["spec", "replicas"], mine: 5, theirs: 3 }]);
  expect(fromYaml(text)).toMatchObject({ spec: { replicas: 5 } });
  const [clash] = clashes;
  expect(clash && fromYaml(takeTheirs(text, clash))).toMatchObject({ spec: { replicas: 3 } });
});

it("names who wrote last, leaving out those who write the status", () => {
  const managedFields = [
    { manager: "kubectl", time: "2026-01-01T00:00:00Z" },
    { manager: "kube-controller-manager", time: "2026-01-02T00:00:00Z", subresource: "status" },
  ];
  expect(lastWriter({ ...base, metadata: { ...base.metadata, managedFields } })).toBe("kubectl");
  expect(lastWriter(base)).toBe("somebody");
});

it("shows a clash's value on one line", () => {
  expect(shortValue(undefined)).toBe("(removed)");
  expect(shortValue({ a: 1 })).toBe('{"a":1}');
});
