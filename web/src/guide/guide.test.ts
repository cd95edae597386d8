import { describe, expect, it } from "vitest";
import type { Pod, Workload } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { RECORDED, at, until } from "../timeline/recorded.test-data";
import { filledIn, progressOf, type Seen } from "./detect";
import { STEPS } from "./steps";

const asPod = (value: object) => value as unknown as Pod;
const asObject = (value: object) => value as unknown as KubeObject;

const hello = (ready: number) =>
  ({
    metadata: { name: "hello" },
    spec: { replicas: 3 },
    status: { readyReplicas: ready },
  }) as unknown as Workload;
const server = (restartCount: number, ready = true) =>
  asPod({
    metadata: { name: "kube-apiserver-master-1", labels: { component: "kube-apiserver" } },
    spec: {},
    status: {
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [{ name: "c", restartCount }],
    },
  });
const node = (name: string, ready = "True") =>
  asObject({
    metadata: {
      name,
      labels: name.startsWith("master") ? { "node-role.kubernetes.io/control-plane": "" } : {},
    },
    status: {
      conditions: [{ type: "Ready", status: ready }],
      addresses: [{ type: "InternalIP", address: name === "master-1" ? "172.30.0.11" : "172.30.0.21" }],
    },
  });
const lease = (age: number, now: number) =>
  asObject({
    metadata: { name: "worker-1" },
    spec: { renewTime: new Date((now - age) * 1000).toISOString() },
  });

function seen(parts: Partial<Seen>): Seen {
  return {
    deployments: [],
    controlPods: [server(0)],
    nodes: [node("master-1"), node("worker-1")],
    leases: [],
    entries: [],
    address: "/",
    now: 1000,
    since: 0,
    ...parts,
  };
}

describe("the guide", () => {
  it("begins with the workload", () => {
    expect(progressOf(seen({})).next).toBe("workload");
    expect(progressOf(seen({ deployments: [hello(2)] })).next).toBe("workload");
  });
  it("sees that a person looks for the API server's pods, and names a master to log in on", () => {
    const at = { deployments: [hello(3)], address: "/pods?search=api" };
    expect(progressOf(seen(at))).toMatchObject({
      next: "kill-api-server",
      node: "master-1",
      address: "172.30.0.11",
    });
  });
  it("sees the kill in the pod's restarts, and its end in its readiness", () => {
    const killed = progressOf(seen({ deployments: [hello(3)], controlPods: [server(1, false)] }));
    expect([...killed.done]).toEqual(["workload", "kill-api-server", "find-api-server"]);
    expect(killed.next).toBe("api-server-back");
    expect(progressOf(seen({ deployments: [hello(3)], controlPods: [server(1)] })).next).toBe("cut-node");
  });
  it("sees a node that is cut off by its lease before it is marked", () => {
    const world = { deployments: [hello(3)], controlPods: [server(1)], leases: [lease(25, 1000)] };
    expect(progressOf(seen(world))).toMatchObject({ next: "node-marked", node: "worker-1" });
    expect(progressOf(seen({ ...world, leases: [lease(9, 1000)] })).next).toBe("cut-node");
  });
  it("follows the recording of a real run to its end", () => {
    const real = (revision: number, ready: number, nodeReady = "Unknown") =>
      progressOf(
        seen({
          deployments: [hello(ready)],
          controlPods: [server(1)],
          nodes: [node("master-1"), node("worker-1", nodeReady)],
          entries: until(revision),
          now: at(revision).time,
        }),
      ).next;
    expect(real(378, 3)).toBe("pods-replaced");
    expect(real(512, 1)).toBe("pods-replaced");
    expect(real(548, 3)).toBe("node-back");
    expect(real(RECORDED.at(-1)?.revision ?? 0, 3, "True")).toBeNull();
  });
  it("counts nothing of before it was begun anew", () => {
    const end = RECORDED.at(-1)?.time ?? 0;
    const killed = server(1);
    const [status] = killed.status?.containerStatuses ?? [];
    if (status)
      status.lastState = {
        terminated: { exitCode: 137, finishedAt: new Date((end - 60) * 1000).toISOString() },
      };
    const world = { deployments: [hello(3)], controlPods: [killed], entries: RECORDED, now: end };
    expect(progressOf(seen(world)).next).toBeNull();
    expect(progressOf(seen({ ...world, since: end + 1 })).next).toBe("find-api-server");
  });
  it("keeps done what was seen done", () => {
    expect(progressOf(seen({}), new Set(["workload", "find-api-server"])).next).toBe("kill-api-server");
  });
  it("has a step for each thing that is detected, with this cluster's nodes in its texts", () => {
    expect(STEPS).toHaveLength(8);
    expect(filledIn("ssh core@ADDRESS", { node: "worker-1", address: "172.30.0.21" })).toBe(
      "ssh core@172.30.0.21",
    );
    expect(filledIn("/nodes/NODE", { node: "worker-1", address: "" })).toBe("/nodes/worker-1");
  });
});
