import { parseDocument } from "yaml";
import { describe, expect, it } from "vitest";
import { keysOfField, rangeOfField } from "./field-path";
import { childOf, documentPath, type OpenApi, schemaAt, schemaOfKind, typeName } from "./schema";
import { problemsOf } from "./validate";

const api: OpenApi = {
  components: {
    schemas: {
      "io.k8s.Thing": {
        type: "object",
        required: ["spec"],
        properties: {
          apiVersion: { type: "string" },
          kind: { type: "string" },
          spec: { allOf: [{ $ref: "#/components/schemas/io.k8s.ThingSpec" }], default: {} },
        },
        "x-kubernetes-group-version-kind": [{ group: "example.org", version: "v1", kind: "Thing" }],
      },
      "io.k8s.ThingSpec": {
        type: "object",
        description: "What is wanted.",
        properties: {
          replicas: { type: "integer", minimum: 0 },
          policy: { type: "string", enum: ["Always", "Never"] },
          port: { "x-kubernetes-int-or-string": true },
          labels: { type: "object", additionalProperties: { type: "string" } },
          items: { type: "array", items: { $ref: "#/components/schemas/io.k8s.ThingSpec" } },
        },
      },
    },
  },
};
const schema = schemaOfKind(api, "example.org/v1", "Thing");

const messages = (text: string) => problemsOf(parseDocument(text), api, schema).map(({ message }) => message);

describe("validation by the cluster's schema", () => {
  it("is content with what fits", () => {
    const spec = "  replicas: 2\n  port: http\n  labels: {a: b}\n  items: [{policy: Always}]";
    expect(messages(`kind: Thing\nspec:\n${spec}`)).toEqual([]);
  });

  it.each([
    ["spec:\n  Replicas: 2", "There is no field Replicas here. Did you mean replicas?"],
    ["spec:\n  replicas: two", "This is to be of the type integer."],
    ["spec:\n  replicas: -1", "At least 0."],
    ["spec:\n  policy: Sometimes", "One of: Always, Never."],
    ["spec:\n  labels: {a: 1}", "This is to be of the type string."],
    ["spec:\n  items: {}", "This is to be of the type list of ThingSpec."],
    ["spec:\n  items:\n  - replicas: x", "This is to be of the type integer."],
    ["kind: Thing", "spec is required here."],
  ])("finds what is wrong with %j", (text, message) => {
    expect(messages(text)).toEqual([message]);
  });

  it("says where: the key that is unknown, the value that is wrong", () => {
    const text = "spec:\n  replicas: two";
    const [problem] = problemsOf(parseDocument(text), api, schema);
    expect(text.slice(problem?.from, problem?.to)).toBe("two");
  });

  it("names syntax errors before anything else", () => {
    expect(messages("spec: [1")[0]).toMatch(/flow sequence|Flow sequence/i);
  });
});

it("finds schemas by path, with what they are called", () => {
  expect(schemaAt(api, schema, ["spec", "items", 0, "policy"]).enum).toEqual(["Always", "Never"]);
  expect(schemaAt(api, schema, ["spec"]).description).toBe("What is wanted.");
  expect(typeName(api, childOf(schemaAt(api, schema, ["spec"]), "items") ?? {})).toBe("list of ThingSpec");
  expect(documentPath("apps/v1")).toBe("/openapi/v3/apis/apps/v1");
  expect(documentPath("v1")).toBe("/openapi/v3/api/v1");
});

describe("a field that the API server names", () => {
  const text = "metadata:\n  labels:\n    a/b: x\nspec:\n  containers:\n  - name: a\n    image: BAD\n";
  const at = (field: string) => {
    const { from, to } = rangeOfField(parseDocument(text), field);
    return text.slice(from, to);
  };

  it("is taken apart as the API server writes it", () => {
    expect(keysOfField("spec.containers[0].image")).toEqual(["spec", "containers", 0, "image"]);
    expect(keysOfField('metadata.labels["a/b"]')).toEqual(["metadata", "labels", "a/b"]);
  });

  it("is found in the text, or the deepest part of it that is there", () => {
    expect(at("spec.containers[0].image")).toBe("image: BAD");
    expect(at("metadata.labels[a/b]")).toBe("a/b: x");
    expect(at("spec.template")).toBe("spec");
  });
});
