import { expect, it } from "vitest";
import { completionsAt, describe as describeField, kindAt } from "./completion";
import type { OpenApi } from "./schema";

const api: OpenApi = {
  components: {
    schemas: {
      Thing: {
        type: "object",
        properties: {
          spec: {
            type: "object",
            required: ["replicas"],
            properties: {
              replicas: { type: "integer", description: "How many." },
              paused: { type: "boolean", default: false },
              policy: { type: "string", enum: ["Always", "Never"] },
            },
          },
        },
        "x-kubernetes-group-version-kind": [{ group: "example.org", version: "v1", kind: "Thing" }],
      },
    },
  },
};
const source = () => Promise.resolve(api);
const head = "apiVersion: example.org/v1\nkind: Thing\n";

async function labels(rest: string): Promise<string[] | undefined> {
  const text = head + rest;
  return (await completionsAt(text, text.length, source))?.options.map(({ label }) => label);
}

it("offers the fields that the schema has at a place", async () => {
  expect(await labels("spec:\n  ")).toEqual(["replicas", "paused", "policy"]);
  expect(await labels("sp")).toEqual(["spec"]);
});

it("offers the values that a field may have", async () => {
  expect(await labels("spec:\n  policy: ")).toEqual(["Always", "Never"]);
  expect(await labels("spec:\n  paused: ")).toEqual(["true", "false"]);
});

it("offers nothing where no schema is known", async () => {
  expect(await completionsAt("spec:\n  ", 8, source)).toBeUndefined();
});

it("describes a field with its type", async () => {
  const text = `${head}spec:\n  replicas: 1`;
  expect(await describeField(text, text.length, source)).toBe("replicas: integer\nHow many.");
});

it("reads the kind of the document that the place is in", () => {
  const text = "apiVersion: v1\nkind: Secret\n---\napiVersion: apps/v1\nkind: Deployment\n";
  expect(kindAt(text, text.length)).toEqual({ apiVersion: "apps/v1", kind: "Deployment" });
  expect(kindAt(text, 5)).toEqual({ apiVersion: "v1", kind: "Secret" });
});
