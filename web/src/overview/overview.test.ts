import { describe, expect, it } from "vitest";
import type { KubeEvent, Pod, Workload } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { eventGroups } from "./events";
import { headlineOf } from "./headline";
import { leadersOf, membersOf } from "./members";
import { podReason } from "./pod-reasons";
import { deviations, type Workloads } from "./workloads";

const T = Date.parse("2026-11-30T12:00:00Z") / 1000;
const time = (seconds: number) => new Date((T + seconds) * 1000).toISOString();
const asWorkload = (value: object) => value as unknown as Workload;
const asPod = (value: object) => value as unknown as Pod;
const asEvent = (value: object) => value as unknown as KubeEvent;
const asObject = (value: object) => value as unknown as KubeObject;

const owner = (kind: string, uid: string) => [
  { apiVersion: "apps/v1", kind, name: uid, uid, controller: true },
];

function deployment(status: object, spec: object = {}, metadata: object = {}) {
  return asWorkload({
    metadata: { name: "hello", namespace: "default", uid: "d", generation: 1, ...metadata },
    spec: { replicas: 3, template: { spec: { containers: [] } }, ...spec },
    status: { observedGeneration: 1, replicas: 3, updatedReplicas: 3, readyReplicas: 3, ...status },
  });
}

function pod(
  name: string,
  parts: { ready?: boolean; status?: object; spec?: object; metadata?: object } = {},
) {
  const { ready = false, status = {}, spec = {}, metadata = {} } = parts;
  return asPod({
    metadata: {
      name,
      namespace: "default",
      uid: name,
      ownerReferences: owner("ReplicaSet", "rs"),
      ...metadata,
    },
    spec: { nodeName: "worker-1", containers: [{ name: "web", readinessProbe: {} }], ...spec },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      ...status,
    },
  });
}

function node(name: string, ready = "True") {
  return asObject({
    metadata: { name },
    status: { conditions: [{ type: "Ready", status: ready, reason: "R", lastTransitionTime: time(-72) }] },
  });
}

function world(parts: Partial<Workloads>): Workloads {
  return {
    deployments: [],
    statefulSets: [],
    daemonSets: [],
    replicaSets: [
      asWorkload({ metadata: { name: "hello-1", uid: "rs", ownerReferences: owner("Deployment", "d") } }),
    ],
    pods: [],
    nodes: [node("worker-1"), node("worker-2")],
    ...parts,
  };
}

const why = (parts: Partial<Workloads>) => deviations(world(parts)).map((each) => [each.tone, each.why]);

describe("workloads that are not as desired", () => {
  it("are none when all are", () => {
    expect(why({ deployments: [deployment({})] })).toEqual([]);
  });
  it("name the node that took their pods with it", () => {
    const nodes = [node("worker-1", "Unknown"), node("worker-2")];
    const pods = [pod("a"), pod("b"), pod("c", { ready: true, spec: { nodeName: "worker-2" } })];
    expect(why({ deployments: [deployment({ readyReplicas: 1 })], pods, nodes })).toEqual([
      ["trouble", "2 pods on worker-1, which is NotReady"],
    ]);
  });
  it("say how a container ended that crashes again and again", () => {
    const status = {
      containerStatuses: [
        {
          name: "web",
          state: { waiting: { reason: "CrashLoopBackOff" } },
          lastState: { terminated: { exitCode: 1, reason: "Error" } },
        },
      ],
    };
    expect(why({ deployments: [deployment({ readyReplicas: 2 })], pods: [pod("a", { status })] })).toEqual([
      ["trouble", "1 pod crashed again and again: container web ended with 1"],
    ]);
  });
  it("say what the scheduler lacks", () => {
    const message = "0/5 nodes are available: 5 Insufficient cpu. preemption: no victims.";
    const status = { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message }] };
    const pods = [pod("a", { status, spec: { nodeName: undefined } })];
    expect(why({ deployments: [deployment({ readyReplicas: 2 })], pods })).toEqual([
      ["trouble", "1 pod waiting for a node: 0/5 nodes are available: 5 Insufficient cpu"],
    ]);
  });
  it("say when pods may not be created", () => {
    const conditions = [{ type: "ReplicaFailure", status: "True", message: "exceeded quota: q" }];
    expect(why({ deployments: [deployment({ readyReplicas: 0, conditions })] })).toEqual([
      ["trouble", "pods cannot be created: exceeded quota: q"],
    ]);
  });
  it("are calm about what is under way", () => {
    expect(why({ deployments: [deployment({ updatedReplicas: 1 })] })).toEqual([
      ["change", "a rollout is under way: 1 of 3 updated"],
    ]);
    expect(
      why({ deployments: [deployment({ readyReplicas: 1 })], pods: [pod("a", { ready: true })] }),
    ).toEqual([["change", "2 pods not yet created"]]);
    expect(why({ deployments: [deployment({}, {}, { generation: 2 })] })).toEqual([
      ["change", "its controller has not yet seen the last change"],
    ]);
  });
  it("put what is in trouble first, and count replica sets without a Deployment", () => {
    const starting = deployment({ readyReplicas: 2 }, {}, { name: "a", uid: "x" });
    const failed = deployment(
      { readyReplicas: 0, conditions: [{ type: "ReplicaFailure", status: "True", message: "no" }] },
      {},
      { name: "z", uid: "z" },
    );
    const lone = asWorkload({
      metadata: { name: "m", uid: "m", namespace: "default" },
      spec: { replicas: 1 },
    });
    const found = deviations(world({ deployments: [starting, failed], replicaSets: [lone] }));
    expect(found.map((each) => `${each.kind} ${each.object.metadata.name}`)).toEqual([
      "Deployment z",
      "Deployment a",
      "ReplicaSet m",
    ]);
  });
  it("take a pod that runs and is not ready as a readiness probe's", () => {
    const status = {
      containerStatuses: [{ name: "web", ready: false, started: true, state: { running: {} } }],
    };
    expect(podReason(pod("a", { status }), [])?.text).toBe(
      "running, but its readiness probe has not succeeded",
    );
    expect(podReason(pod("a", { metadata: { deletionTimestamp: time(0) } }), [])).toBeNull();
  });
});

const server = (name: string, containerStatus: object, ready = true) =>
  pod(`kube-apiserver-${name}`, {
    ready,
    metadata: { namespace: "kube-system", labels: { component: "kube-apiserver" } },
    spec: { nodeName: name },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [
        { name: "kube-apiserver", restartCount: 0, state: { running: {} }, ...containerStatus },
      ],
    },
  });
const killed = server(
  "master-1",
  { restartCount: 1, state: { terminated: { exitCode: 137, finishedAt: time(-2) } } },
  false,
);
const leases = [
  asObject({
    metadata: { name: "kube-scheduler", namespace: "kube-system" },
    spec: { holderIdentity: "master-2_be4b", renewTime: time(-3), leaseDurationSeconds: 15 },
  }),
  asObject({
    metadata: { name: "apiserver-x", namespace: "kube-system" },
    spec: { holderIdentity: "a" },
  }),
  asObject({
    metadata: { name: "worker-1", namespace: "kube-node-lease" },
    spec: { holderIdentity: "worker-1" },
  }),
];

describe("the control plane", () => {
  it("has its members with restarts, and which one serves the page", () => {
    const found = membersOf([killed, server("master-2", {})], leases, "master-2");
    expect(found).toMatchObject([
      {
        name: "kube-apiserver-master-1",
        status: "Terminated (137)",
        tone: "trouble",
        restarts: 1,
        serves: false,
      },
      { name: "kube-apiserver-master-2", status: "Running", tone: "ok", serves: true },
    ]);
  });
  it("has its leaders by their Leases, with the age of the last renewal", () => {
    expect(leadersOf(leases, T)).toEqual([
      {
        component: "kube-scheduler",
        holder: "master-2_be4b",
        node: "master-2",
        age: 3,
        duration: 15,
        late: false,
        transitions: 0,
      },
    ]);
  });
});

describe("the headline", () => {
  const nodes = [node("worker-1"), node("worker-2")];
  const calm = {
    nodes,
    members: membersOf([server("master-1", {})], [], ""),
    leaders: [],
    deviations: [],
    now: T,
  };
  it("is calm when all is well", () => {
    expect(headlineOf(calm)).toEqual({
      text: "All is well",
      more: "2 nodes Ready · 1 API server · all workloads as desired",
      tone: "ok",
      link: "",
    });
  });
  it("is the control plane's trouble before a node's, and a node's before a workload's", () => {
    const cut = [node("worker-1", "Unknown"), node("worker-2")];
    const [deviation] = deviations(world({ deployments: [deployment({ readyReplicas: 1 })] }));
    const all = { ...calm, nodes: cut, deviations: deviation ? [deviation] : [] };
    const members = membersOf([killed, server("master-2", {})], [], "");
    expect(headlineOf({ ...all, members }).text).toBe("kube-apiserver-master-1 is Terminated (137)");
    expect(headlineOf(all)).toMatchObject({
      text: "worker-1 is Unhealthy (NotReady) for 1 m 12 s",
      more: "1 of 2 nodes are Ready",
      link: "/nodes/worker-1",
    });
    expect(headlineOf({ ...all, nodes })).toMatchObject({
      text: "Deployment hello has 1 of 3 ready",
      link: "/deployments/default/hello",
    });
  });
  it("says that a component has no leader", () => {
    expect(headlineOf({ ...calm, leaders: leadersOf(leases, T + 60) }).text).toBe(
      "kube-scheduler has no leader",
    );
  });
});

describe("events", () => {
  const event = (reason: string, type: string, last: number, count = 1) =>
    asEvent({
      metadata: { name: `${reason}.${last}`, creationTimestamp: time(last) },
      involvedObject: { kind: "Pod", namespace: "default", name: "a" },
      reason,
      type,
      message: `m${last}`,
      count,
      firstTimestamp: time(last - 5),
      lastTimestamp: time(last),
    });
  it("are grouped by object and reason with their newest message", () => {
    const groups = eventGroups([
      event("Started", "Normal", -1),
      event("BackOff", "Warning", -9, 3),
      event("BackOff", "Warning", -4),
    ]);
    expect(groups.map((each) => [each.reason, each.count, each.message])).toEqual([
      ["Started", 1, "m-1"],
      ["BackOff", 4, "m-4"],
    ]);
  });
  it("have warnings first where that is asked", () => {
    const groups = eventGroups([event("Started", "Normal", -1), event("BackOff", "Warning", -9)], true);
    expect(groups.map((each) => each.reason)).toEqual(["BackOff", "Started"]);
  });
});
