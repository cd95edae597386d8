import { describe, expect, it } from "vitest";
import type { EndpointSlice, Pod, Service, Workload } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { graphOf, type World } from "./graph";
import { orderOf } from "./order";
import { cornerOf, placed, shownColumns, sizeOf } from "./placing";

const owner = (kind: string, uid: string) => [
  { apiVersion: "apps/v1", kind, name: uid, uid, controller: true },
];
const meta = (name: string, more: object = {}) => ({ name, uid: name, namespace: "default", ...more });

function pod(name: string, node: string, ready = true) {
  return {
    kind: "Pod",
    metadata: meta(name, { labels: { app: "hello" }, ownerReferences: owner("ReplicaSet", "rs") }),
    spec: { nodeName: node, containers: [{ name: "c" }] },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [{ name: "c", ready, restartCount: 0, state: { running: {} } }],
    },
  } as unknown as Pod;
}

function node(name: string, ready = "True") {
  return {
    metadata: { name },
    status: { conditions: [{ type: "Ready", status: ready }] },
  } as unknown as KubeObject;
}

function world(parts: Partial<World> = {}): World {
  return {
    services: [{ metadata: meta("hello"), spec: { selector: { app: "hello" } } } as unknown as Service],
    slices: [
      {
        metadata: meta("hello-1", { labels: { "kubernetes.io/service-name": "hello" } }),
        endpoints: [
          { addresses: ["a"], conditions: { ready: true } },
          { addresses: ["b"], conditions: { ready: false } },
        ],
      } as unknown as EndpointSlice,
    ],
    workloads: [
      [
        "Deployment",
        [{ metadata: meta("d"), spec: { replicas: 2 }, status: { readyReplicas: 1 } } as unknown as Workload],
      ],
    ],
    replicaSets: [
      { metadata: meta("rs", { ownerReferences: owner("Deployment", "d") }) } as unknown as Workload,
    ],
    pods: [pod("a", "worker-1"), pod("b", "worker-2", false)],
    nodes: [node("worker-1"), node("worker-2", "Unknown")],
    level: "pods",
    ...parts,
  };
}

describe("the graph", () => {
  it("leads from services over workloads and pods to nodes", () => {
    const { items, lines } = graphOf(world());
    expect(items.map(({ id, note, tone }) => [id, note, tone])).toEqual([
      ["service/hello", "1 of 2 ready", "ok"],
      ["workload/d", "1 of 2 ready", "change"],
      ["pod/a", "Running", "ok"],
      ["pod/b", expect.any(String), expect.stringMatching(/change|trouble/)],
      ["node/worker-1", "1 pod", "ok"],
      ["node/worker-2", "Unhealthy (NotReady)", "trouble"],
    ]);
    expect(lines.map(({ from, to, faint }) => `${from} ${to}${faint ? " faint" : ""}`)).toEqual([
      "service/hello workload/d",
      "workload/d pod/a",
      "pod/a node/worker-1",
      "workload/d pod/b faint",
      "pod/b node/worker-2 faint",
    ]);
  });
  it("leaves pods out from afar", () => {
    const { items, lines } = graphOf(world({ level: "cluster" }));
    expect(items.some(({ column }) => column === "pods")).toBe(false);
    expect(lines.map(({ from, to }) => `${from} ${to}`)).toEqual([
      "service/hello workload/d",
      "workload/d node/worker-1",
      "workload/d node/worker-2",
    ]);
  });
  it("is in trouble where no endpoint is ready", () => {
    const slices = [
      {
        metadata: meta("x", { labels: { "kubernetes.io/service-name": "hello" } }),
        endpoints: [{ addresses: ["b"], conditions: { ready: false } }],
      } as unknown as EndpointSlice,
    ];
    expect(graphOf(world({ slices })).items[0]).toMatchObject({ tone: "trouble", note: "0 of 1 ready" });
  });
});

describe("places", () => {
  const before = placed(graphOf(world()), new Map());
  it("are given once, column by column", () => {
    expect([...before]).toEqual([
      ["service/hello", 0],
      ["workload/d", 0],
      ["pod/a", 0],
      ["pod/b", 1],
      ["node/worker-1", 0],
      ["node/worker-2", 1],
    ]);
  });
  it("are kept while others come and go, and a free one is taken by what is new", () => {
    const without = graphOf(world({ pods: [pod("b", "worker-2"), pod("c", "worker-1")] }));
    const after = placed(without, before);
    expect([after.get("pod/b"), after.get("pod/c"), after.has("pod/a")]).toEqual([1, 0, false]);
    const more = placed(
      graphOf(world({ pods: ["a", "b", "c", "d"].map((name) => pod(name, "worker-2")) })),
      before,
    );
    expect([more.get("pod/a"), more.get("pod/b"), more.get("pod/c"), more.get("pod/d")]).toEqual([
      0, 1, 2, 3,
    ]);
  });
  it("begin in an order in which few lines cross", async () => {
    const graph = graphOf(world());
    const order = await orderOf(graph);
    expect([...order].sort()).toEqual(graph.items.map(({ id }) => id).sort());
  });
  it("have a size that holds all", () => {
    expect(shownColumns(graphOf(world({ level: "cluster" })))).toEqual(["services", "workloads", "nodes"]);
    expect(cornerOf(1, 2)).toEqual({ x: 304, y: 128 });
    expect(sizeOf(4, before)).toEqual({ width: 1120, height: 128 });
  });
});
