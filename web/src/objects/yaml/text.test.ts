import { expect, it } from "vitest";
import { comparable, editable, fromYaml, otherIdentity, toYaml } from "./text";

const object = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name: "a",
    namespace: "d",
    uid: "u",
    resourceVersion: "7",
    creationTimestamp: "",
    managedFields: [{}],
  },
  status: { x: 1 },
  data: { key: "value", lines: "a\nb\n" },
};

it("shows what a person edits, in the usual order", () => {
  const text = toYaml(editable(object));
  expect(text).not.toMatch(/managedFields|status/);
  expect(text.indexOf("kind")).toBeLessThan(text.indexOf("data"));
  expect(text).toContain('resourceVersion: "7"');
  expect(fromYaml(text)).toEqual(editable(object));
});

it("refuses text that is no object, and says why", () => {
  expect(() => fromYaml("a: [")).toThrow();
  expect(() => fromYaml("- a")).toThrow(/an object/);
});

it("does not let an edit become another object", () => {
  const after = { ...editable(object), metadata: { ...object.metadata, name: "b" } };
  expect(otherIdentity(object, after)).toContain("metadata.name cannot be changed");
  expect(otherIdentity(object, editable(object))).toBe("");
});

it("compares without what the cluster counts by itself", () => {
  const counted = { ...object, metadata: { ...object.metadata, resourceVersion: "8", generation: 2 } };
  expect(comparable(counted)).toBe(comparable(object));
});
