import { beforeEach, describe, expect, it } from "vitest";
import { setFlags } from "../kube/flags";
import type { DisruptionBudget, Pod } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { drainProgress, drainSteps } from "./drain";
import { deadlineOf, evictionOf, tolerates } from "./eviction";
import { leaseState } from "./lease";
import { podRequest, requestedOf } from "./requests";
import { nodeRows } from "./rows";
import { addressOf, nodeStatus, rolesOf, sshLine, taintText } from "./status";

const T = Date.parse("2026-11-30T12:00:00Z") / 1000;
const time = (seconds: number) => new Date((T + seconds) * 1000).toISOString();

interface NodeParts {
  name?: string;
  ready?: string;
  taints?: object[];
  cordoned?: boolean;
  address?: string;
  zone?: string;
}

function node({
  name = "worker-1",
  ready = "True",
  taints = [],
  cordoned = false,
  address,
  zone,
}: NodeParts = {}) {
  const labels: Record<string, string> = { "node-role.kubernetes.io/worker": "" };
  if (zone) labels["topology.kubernetes.io/zone"] = zone;
  return {
    metadata: { name, labels, creationTimestamp: time(-600) },
    spec: { taints, ...(cordoned ? { unschedulable: true } : {}) },
    status: {
      addresses: [{ type: "InternalIP", address: address ?? "172.30.0.21" }],
      allocatable: { cpu: "2", memory: "4Gi", pods: "110" },
      nodeInfo: { kubeletVersion: "v1.36.0", containerRuntimeVersion: "containerd://1.6" },
      conditions: [
        {
          type: "Ready",
          status: ready,
          reason: ready === "True" ? "KubeletReady" : "NodeStatusUnknown",
          lastTransitionTime: time(-72),
        },
      ],
    },
  } as unknown as KubeObject;
}

const UNREACHABLE = { key: "node.kubernetes.io/unreachable", effect: "NoExecute", timeAdded: time(-72) };

function pod(name: string, tolerationSeconds: number | undefined = 300, parts: object = {}): Pod {
  const toleration = { key: UNREACHABLE.key, operator: "Exists", effect: "NoExecute" };
  return {
    metadata: {
      name,
      namespace: "default",
      creationTimestamp: time(-500),
      labels: { app: "hello" },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "hello-1", uid: "u", controller: true },
      ],
      ...parts,
    },
    spec: {
      nodeName: "worker-1",
      containers: [{ name: "c", resources: { requests: { cpu: "250m", memory: "64Mi" } } }],
      tolerations: tolerationSeconds < 0 ? [toleration] : [{ ...toleration, tolerationSeconds }],
    },
    status: { phase: "Running" },
  } as unknown as Pod;
}

const lease = (age: number) =>
  ({
    metadata: { name: "worker-1" },
    spec: { renewTime: time(-age), leaseDurationSeconds: 40 },
  }) as unknown as KubeObject;

beforeEach(() => setFlags({}));

describe("a node's status", () => {
  it("is Unhealthy (NotReady) with its reason and since when", () => {
    expect(nodeStatus(node({ ready: "Unknown" }))).toEqual({
      text: "Unhealthy (NotReady)",
      reason: "NodeStatusUnknown",
      message: "the kubelet stopped posting the node's status",
      since: T - 72,
      tone: "trouble",
    });
  });
  it("is Ready and calm, and says when it is cordoned", () => {
    expect(nodeStatus(node())).toMatchObject({ text: "Ready", tone: "ok" });
    expect(nodeStatus(node({ cordoned: true }))).toMatchObject({
      text: "Ready, SchedulingDisabled",
      tone: "change",
    });
  });
  it("names roles, address and the way in; none where nodes are processes", () => {
    expect(rolesOf(node())).toEqual(["worker"]);
    expect([addressOf(node()), sshLine(node())]).toEqual(["172.30.0.21", "ssh core@172.30.0.21"]);
    expect(sshLine(node({ address: "127.10.0.21" }))).toBe("");
  });
  it("has taints in short", () => {
    expect(taintText(UNREACHABLE)).toBe("unreachable:NoExecute");
  });
});

describe("a node's lease", () => {
  it("is renewed four times in its duration, and says when the node is given up", () => {
    expect(leaseState(lease(4), T)).toMatchObject({ state: "renewed", every: 10, grace: 50, share: 0.08 });
    expect(leaseState(lease(4), T)?.text).toBe("last renewed 4 s ago (every 10 s; given up after 50 s)");
  });
  it("counts the seconds missed", () => {
    expect(leaseState(lease(22.4), T)).toMatchObject({ state: "late", text: "lease missed 22 s of 50 s" });
  });
  it("counts by the flag's value here", () => {
    setFlags({ "controller-manager.node-monitor-grace-period": "20s" });
    expect(leaseState(lease(118), T)?.text).toBe(
      "last renewed 1 m 58 s ago (every 10 s; given up after 20 s: the node is NotReady)",
    );
  });
  it("is nothing without a Lease", () => {
    expect(leaseState(undefined, T)).toBeNull();
  });
});

describe("eviction", () => {
  const cut = node({ ready: "Unknown", taints: [UNREACHABLE] });
  const others = [cut, node({ name: "worker-2" })];
  it("counts down from the taint's time by each pod's toleration", () => {
    const found = evictionOf(cut, [pod("a"), pod("b"), pod("c"), pod("stays", -1)], others, T);
    expect(found?.text).toBe("3 pods leave in 3 m 48 s unless the node returns");
    expect(found?.staying.map((each) => each.metadata.name)).toEqual(["stays"]);
    expect(found?.at).toBe(T - 72 + 300);
  });
  it("counts from when the pod was bound where that was later", () => {
    expect(deadlineOf(pod("late", 300, { creationTimestamp: time(-10) }), [UNREACHABLE], T)).toBe(T + 290);
  });
  it("is at once for a pod that does not tolerate the taint", () => {
    expect(deadlineOf(pod("a"), [{ key: "mine", effect: "NoExecute" }], T)).toBe(T);
  });
  it("says why evicted pods are still there", () => {
    const gone = pod("a", 300, { deletionTimestamp: time(-2) });
    expect(evictionOf(cut, [gone], others, T)?.text).toBe(
      "1 pod was evicted and is Terminating until the node returns: only its kubelet can say that it has ended",
    );
  });
  it("stops when no node is ready anywhere", () => {
    const down = [node({ ready: "Unknown" }), node({ name: "worker-2", ready: "Unknown" })];
    expect(evictionOf(down[0] ?? cut, [pod("a")], down, T)?.text).toMatch(/^no pod leaves: no node is ready/);
  });
  it("stops in a small zone of which most nodes are down", () => {
    const zone = ["1", "2", "3", "4"].map((name) => node({ name, ready: name === "4" ? "True" : "Unknown" }));
    expect(evictionOf(zone[0] ?? cut, [pod("a")], zone, T)?.text).toBe(
      "no pod leaves: 3 of the zone's 4 nodes are not ready, which stops eviction in it",
    );
  });
  it("waits for the node's turn", () => {
    const zone = ["1", "2", "3", "4", "5"].map((name) =>
      node({ name, ready: name < "3" ? "Unknown" : "True" }),
    );
    expect(evictionOf(zone[0] ?? cut, [], zone, T)?.text).toBe(
      "no pod leaves yet: 2 nodes of its zone are not ready, and one is tainted every 10 s",
    );
  });
  it("is nothing for a node that is well", () => {
    expect(evictionOf(node(), [pod("a")], others, T)).toBeNull();
  });
  it("matches tolerations as Kubernetes does", () => {
    expect(tolerates({ operator: "Exists" }, UNREACHABLE)).toBe(true);
    expect(tolerates({ key: "a", value: "1" }, { key: "a", value: "1", effect: "NoExecute" })).toBe(true);
    expect(tolerates({ key: "a", value: "1" }, { key: "a", value: "2", effect: "NoExecute" })).toBe(false);
    expect(
      tolerates({ key: "a", operator: "Exists", effect: "NoSchedule" }, { key: "a", effect: "NoExecute" }),
    ).toBe(false);
  });
});

describe("requested resources", () => {
  it("are the sums of the node's pods beside what it offers", () => {
    const found = requestedOf(node(), [pod("a"), pod("b")]);
    expect(found.map((each) => [each.resource, each.text])).toEqual([
      ["cpu", "0.5 cores of 2 cores"],
      ["memory", "128 MiB of 4 GiB"],
      ["pods", "2 of 110"],
    ]);
  });
  it("count the larger of containers and init containers, and sidecars beside both", () => {
    const many = pod("a");
    many.spec.initContainers = [
      { name: "sidecar", restartPolicy: "Always", resources: { requests: { cpu: "100m" } } },
      { name: "first", resources: { requests: { cpu: "1" } } },
    ];
    expect(podRequest(many, "cpu")).toBeCloseTo(1.1);
  });
});

describe("the list of nodes", () => {
  it("says what is about to happen to each", () => {
    const cut = node({ ready: "Unknown", taints: [UNREACHABLE] });
    const rows = nodeRows([cut, node({ name: "worker-2" })], [pod("a")], [lease(118)], T);
    expect(rows.map((row) => [row.name, row.status.text, row.note, row.pods, row.age])).toEqual([
      ["worker-1", "Unhealthy (NotReady)", "1 pod leaves in 3 m 48 s unless the node returns", 1, "10m"],
      ["worker-2", "Ready", "", 0, "10m"],
    ]);
  });
  it("shows a late lease before the node is marked", () => {
    expect(nodeRows([node()], [], [lease(22)], T)[0]?.note).toBe("lease missed 22 s of 50 s");
  });
});

describe("a drain", () => {
  const budget = (allowed: number) =>
    ({
      metadata: { name: "hello", namespace: "default" },
      spec: { minAvailable: 1, selector: { matchLabels: { app: "hello" } } },
      status: { disruptionsAllowed: allowed, currentHealthy: 1, desiredHealthy: 1 },
    }) as unknown as DisruptionBudget;
  const mirror = pod("api", -1, { annotations: { "kubernetes.io/config.mirror": "x" } });
  it("says for each pod what happens to it", () => {
    const lone = pod("lone", 300, { ownerReferences: [], labels: {} });
    const steps = drainSteps("worker-1", [mirror, pod("a"), lone], [budget(0)]);
    expect(steps.map((step) => [step.pod.metadata.name, step.state, step.why])).toEqual([
      ["a", "blocked", "budget hello wants 1 healthy and 1 are"],
      ["lone", "evict", "no controller replaces it: `kubectl drain` asks for --force"],
      ["api", "stays", "a static pod: its kubelet keeps it"],
    ]);
  });
  it("tells how far it is", () => {
    const text = (cordoned: boolean, pods: Pod[], allowed = 1) =>
      drainProgress(node({ cordoned }), drainSteps("worker-1", pods, [budget(allowed)])).text;
    expect(text(false, [pod("a"), pod("b")])).toBe("a drain would evict 2 pods");
    expect(text(true, [pod("a")], 0)).toBe("1 pod left, 1 held back by a budget");
    expect(text(true, [pod("a", 300, { deletionTimestamp: time(0) })])).toBe("1 pod ending");
    expect(text(true, [mirror])).toBe("drained: only pods that stay are left");
  });
});
