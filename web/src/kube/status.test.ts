import { describe, expect, it } from "vitest";
import type { ContainerState, Pod, Workload } from "./kinds";
import { podStatus, podWord, statusOf } from "./status";

const metadata = { name: "x", uid: "u", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" };

function pod(state: ContainerState, more: Partial<Pod> = {}, ready = false): Pod {
  return {
    kind: "Pod",
    metadata,
    spec: { containers: [{ name: "app" }] },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [{ name: "app", ready, restartCount: 0, state }],
    },
    ...more,
  };
}

describe("a pod's status", () => {
  it("is the word that kubectl prints", () => {
    expect(podWord(pod({ running: {} }, {}, true))).toBe("Running");
    expect(podWord(pod({ waiting: { reason: "CrashLoopBackOff" } }))).toBe("CrashLoopBackOff");
    expect(podWord(pod({ terminated: { exitCode: 137 } }))).toBe("ExitCode:137");
    expect(podWord(pod({ terminated: { exitCode: 0, signal: 9 } }))).toBe("Signal:9");
  });

  it("is Terminating while a pod is being deleted, and Unknown when its node is lost", () => {
    const deleted = { metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:01:00Z" } };
    expect(podWord(pod({ running: {} }, deleted, true))).toBe("Terminating");
    expect(podWord(pod({ running: {} }, { ...deleted, status: { reason: "NodeLost" } }))).toBe("Unknown");
  });

  it("counts the init containers that are done", () => {
    const spec = { initContainers: [{ name: "a" }, { name: "b" }], containers: [] };
    const initContainerStatuses = [
      { name: "a", ready: true, restartCount: 0, state: { terminated: { exitCode: 0 } } },
      { name: "b", ready: false, restartCount: 0, state: { running: {} } },
    ];
    const found = pod({}, { spec, status: { phase: "Pending", initContainerStatuses } });
    expect(podStatus(found)).toMatchObject({ word: "Init:1/2", tone: "change" });
  });

  it("is in trouble with the scheduler's message when no node fits", () => {
    const conditions = [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/5 nodes" },
    ];
    const found = podStatus(pod({}, { status: { phase: "Pending", conditions } }));
    expect(found).toEqual({ word: "Pending", reason: "0/5 nodes", tone: "trouble" });
  });
});

describe("a workload's status", () => {
  function deployment(status: Workload["status"], generation = 1): Workload {
    return {
      kind: "Deployment",
      metadata: { ...metadata, generation },
      spec: { replicas: 3, template: { spec: { containers: [] } } },
      status: { observedGeneration: 1, ...status },
    };
  }

  it("follows a rollout to its end", () => {
    expect(statusOf(deployment({ updatedReplicas: 1, replicas: 4, readyReplicas: 3 })).word).toBe(
      "Progressing",
    );
    expect(statusOf(deployment({ updatedReplicas: 3, replicas: 3, readyReplicas: 3 })).word).toBe(
      "Available",
    );
    expect(statusOf(deployment({ updatedReplicas: 3, replicas: 3, readyReplicas: 2 }))).toEqual({
      word: "Degraded",
      reason: "2 of 3 ready",
      tone: "trouble",
    });
  });

  it("is not judged by a status that is older than the spec", () => {
    expect(statusOf(deployment({ updatedReplicas: 3, replicas: 3, readyReplicas: 3 }, 2)).word).toBe(
      "Progressing",
    );
  });

  it("names the deadline that a rollout missed", () => {
    const conditions = [
      { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "m" },
    ];
    expect(statusOf(deployment({ conditions }))).toEqual({
      word: "ProgressDeadlineExceeded",
      reason: "m",
      tone: "trouble",
    });
  });
});

it("an object that is held by a finalizer says by which", () => {
  const held = { ...metadata, deletionTimestamp: "2026-01-01T00:01:00Z", finalizers: ["example.org/x"] };
  expect(statusOf({ kind: "ConfigMap", metadata: held }).reason).toBe("held by example.org/x");
});

it("a node that does not report is Unhealthy (NotReady)", () => {
  const conditions = [{ type: "Ready", status: "Unknown", message: "Kubelet stopped posting node status." }];
  expect(statusOf({ kind: "Node", metadata, status: { conditions } }).word).toBe("Unhealthy (NotReady)");
});
