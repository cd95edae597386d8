import { describe, expect, it } from "vitest";
import type { KubeObject } from "../kube/object";
import { parseChanges } from "./metadata";
import { specOf, specsFor } from "./registry";
import { earlier, rollBack, templateOf } from "./rollback";

const metadata = { name: "web", namespace: "shop", uid: "u1", resourceVersion: "1", creationTimestamp: "" };

const deployment: KubeObject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { ...metadata, annotations: { "deployment.kubernetes.io/revision": "3" } },
  spec: {
    replicas: 2,
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "app", image: "web:3" }] },
    },
  },
};

function replicaSet(revision: number): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      ...metadata,
      name: `web-${revision}`,
      annotations: { "deployment.kubernetes.io/revision": String(revision) },
    },
    spec: {
      template: {
        metadata: { labels: { app: "web", "pod-template-hash": "abc" } },
        spec: { containers: [{ name: "app", image: `web:${revision}` }] },
      },
    },
  };
}

const ids = (plural: string, group: string, count = 1) =>
  specsFor({ group, version: "v1", plural }, count).map(({ id }) => id);

describe("the actions on a resource", () => {
  it("are those that make sense for its kind", () => {
    expect(ids("deployments", "apps")).toEqual([
      "scale",
      "restart",
      "set-image",
      "roll-back",
      "pause",
      "resume",
      "label",
      "annotate",
      "delete",
    ]);
    expect(ids("pods", "")).toEqual(["label", "annotate", "evict", "delete"]);
    expect(ids("nodes", "")).toContain("cordon");
    expect(ids("cronjobs", "batch")).toContain("trigger");
  });

  it("are those for many objects when there are many", () => {
    expect(ids("deployments", "apps", 3)).not.toContain("set-image");
    expect(ids("deployments", "apps", 3)).toContain("scale");
  });
});

it("scaling writes the scale subresource, and is undone by the former count", () => {
  const scale = specOf("scale");
  expect(scale?.request(deployment, { replicas: "5" }, [])).toMatchObject({
    method: "PATCH",
    path: "/apis/apps/v1/namespaces/shop/deployments/web/scale",
    body: { spec: { replicas: 5 } },
  });
  expect(scale?.undo?.(deployment, { replicas: "5" })).toMatchObject({ body: { spec: { replicas: 2 } } });
  expect(scale?.problem?.({ replicas: "-1" })).not.toBe("");
});

it("restarting is undone by taking the annotation off again", () => {
  const path = ["template", "metadata", "annotations"];
  const body = specOf("restart")?.undo?.(deployment, {})?.body;
  expect(JSON.stringify(body)).toContain('"kubectl.kubernetes.io/restartedAt":null');
  expect(JSON.stringify(body)).toContain(path.at(-1));
});

describe("rolling back", () => {
  const sets = [replicaSet(1), replicaSet(3), replicaSet(2)];

  it("offers the earlier revisions, newest first", () => {
    expect(earlier(deployment, sets).map(({ metadata: { name } }) => name)).toEqual(["web-2", "web-1"]);
    const [field] = rollBack.fields?.([deployment], sets) ?? [];
    expect(field).toMatchObject({ value: "2", choices: [{ title: "2 · web:2" }, { title: "1 · web:1" }] });
  });

  it("takes the template without the label that tells replica sets apart", () => {
    expect(templateOf(replicaSet(2))).toEqual({
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "app", image: "web:2" }] },
    });
    const request = rollBack.request(deployment, { revision: "1" }, sets);
    expect(JSON.stringify(request.body)).toContain("web:1");
  });
});

describe("labels", () => {
  it("are changed as kubectl takes changes", () => {
    expect(parseChanges("a=1\n\n b- ")).toEqual({ a: "1", b: null });
    expect(parseChanges("a=")).toEqual({ a: "" });
    expect(parseChanges("a b")).toBeUndefined();
  });

  it("get their former values back, and those that were not there go", () => {
    const object = { ...deployment, metadata: { ...metadata, labels: { a: "0" } } };
    expect(specOf("label")?.undo?.(object, { changes: "a=1\nb=2" })?.body).toEqual({
      metadata: { labels: { a: "0", b: null } },
    });
  });
});

describe("deleting", () => {
  const remove = specOf("delete");

  it("deletes only the object that was looked at", () => {
    expect(remove?.request(deployment, { propagation: "Orphan" }, []).body).toMatchObject({
      propagationPolicy: "Orphan",
      preconditions: { uid: "u1" },
    });
  });

  it("can be undone for what nothing else makes anew", () => {
    const again = remove?.undo?.({ ...deployment, status: { replicas: 2 } }, {});
    expect(again).toMatchObject({ method: "POST", path: "/apis/apps/v1/namespaces/shop/deployments" });
    const body = again?.body as KubeObject;
    expect(body.metadata).not.toHaveProperty("uid");
    expect(body).not.toHaveProperty("status");
  });

  it("cannot be undone for namespaces, claims, and what a controller makes anew", () => {
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "x", uid: "x", controller: true };
    const pod = { ...deployment, kind: "Pod", metadata: { ...metadata, ownerReferences: [owner] } };
    expect(remove?.undo?.(pod, {})).toBeNull();
    expect(remove?.undo?.({ ...deployment, kind: "PersistentVolumeClaim" }, {})).toBeNull();
    expect(remove?.undo?.({ ...deployment, kind: "Namespace" }, {})).toBeNull();
  });
});
