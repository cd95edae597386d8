import { describe, expect, it } from "vitest";
import { at } from "../kube/object";
import { appended, partsOf, toDocuments } from "./documents";
import { applied } from "./form-merge";
import { pairs, words } from "./form-text";
import { FORMS, formOf, type FormValues } from "./forms";

const filled: Record<string, FormValues> = {
  Deployment: {
    name: "web",
    namespace: "shop",
    image: "web:1",
    replicas: "3",
    port: "8080",
    command: "sh -c 'echo hi'",
    env: "A=1\nB=x=y",
  },
  Job: { name: "once", namespace: "", image: "tool:1", command: "run", env: "", retries: "2" },
  Service: {
    name: "web",
    namespace: "shop",
    type: "NodePort",
    port: "80",
    targetPort: "http",
    selector: "app=web",
  },
  ConfigMap: { name: "settings", namespace: "shop", data: "a=1\nb=two\\nlines" },
  Secret: { name: "login", namespace: "shop", data: "password=grüße" },
};

describe.each(FORMS.map((form) => [form.kind, form] as const))("the form of a %s", (kind, form) => {
  it("is equal to its object in both directions", () => {
    const values = filled[kind] ?? {};
    expect(form.fromObject(form.toObject(values))).toMatchObject(values);
    expect(form.fromObject(form.toObject({ ...form.empty, name: "x" }))).toMatchObject({ name: "x" });
  });
});

it.each([
  [
    "Deployment",
    { env: "" },
    "kubectl create deployment web -n shop --image=web:1 --replicas=3 --port=8080 -- sh -c 'echo hi'",
  ],
  ["Job", { retries: "6" }, "kubectl create job once --image=tool:1 -- run"],
  ["Service", {}, "kubectl create service nodeport web -n shop --tcp=80:http"],
  ["ConfigMap", { data: "a=1 2" }, "kubectl create configmap settings -n shop --from-literal='a=1 2'"],
  ["Secret", { data: "p=x" }, "kubectl create secret generic login -n shop --from-literal=p=x"],
])("the kubectl line of a %s is what a person types", (kind, change, command) => {
  expect(formOf(kind)?.command({ ...filled[kind], ...change })).toBe(command);
});

it("no kubectl line is shown where none makes the same object", () => {
  expect(formOf("Deployment")?.command(filled.Deployment ?? {})).toBe("");
});

it("a form leaves alone what it does not know of, and takes away what it removed", () => {
  const form = formOf("Deployment");
  if (!form) throw new Error("no form");
  const object = form.toObject(filled.Deployment ?? {});
  const whole = { ...object, spec: { ...(object.spec as object), minReadySeconds: 5 } };
  const after = applied(form, { ...filled.Deployment, replicas: "4", port: "" }, whole);
  expect(at(after, "spec", "minReadySeconds")).toBe(5);
  expect(at(after, "spec", "replicas")).toBe(4);
  expect(at(after, "spec", "template", "spec", "containers", 0)).not.toHaveProperty("ports");
});

it("takes command lines and pairs apart", () => {
  expect(words(`sh -c "echo it's" 'a b'`)).toEqual(["sh", "-c", "echo it's", "a b"]);
  expect(pairs("a=1\n\nb\nc=x=y\\nz")).toEqual({ a: "1", b: "", c: "x=y\nz" });
});

describe("text of several documents", () => {
  const text =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: d}\n---\n---\nkind: X\n---\n- 1\n";

  it("is taken apart, with what is wrong with each", () => {
    expect(partsOf(text).map(({ title, problem }) => [title, problem])).toEqual([
      ["ConfigMap d/a", ""],
      ["X *", "It names no apiVersion."],
      ["Document 3", "It is no object."],
    ]);
  });

  it("has a List's items as documents", () => {
    const list = toDocuments([
      { apiVersion: "v1", kind: "List", items: [{ apiVersion: "v1", kind: "A", metadata: { name: "x" } }] },
    ]);
    expect(partsOf(list).map(({ title }) => title)).toEqual(["A x"]);
  });

  it("names the line of a syntax error, and is put together again", () => {
    expect(partsOf("a: [").at(0)?.problem).toBeTruthy();
    expect(appended("a: 1\n", "b: 2\n")).toBe("a: 1\n---\nb: 2\n");
    expect(appended("", "b: 2\n")).toBe("b: 2\n");
  });
});
