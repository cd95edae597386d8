import { describe, expect, it } from "vitest";
import { faultOf, faultsOf } from "./faults";
import { movesOf, taintsOf } from "./moves";
import { phraseOf } from "./phrases";
import { RECORDED, at } from "./recorded.test-data";

describe("a summary as data", () => {
  it("has each value that moved, with its reason", () => {
    expect(
      movesOf("Ready True -> Unknown (NodeStatusUnknown); restarts 0 -> 1; status.conditions changed"),
    ).toEqual([
      { what: "Ready", from: "True", to: "Unknown", reason: "NodeStatusUnknown" },
      { what: "restarts", from: "0", to: "1", reason: "" },
    ]);
  });
  it("names taints", () => {
    expect(taintsOf(at(378).summary, "added")).toEqual(["node.kubernetes.io/unreachable:NoExecute"]);
    expect(taintsOf(at(604).summary, "removed")).toEqual(["node.kubernetes.io/unreachable:NoExecute"]);
  });
});

describe("faults", () => {
  it("are a killed container and a silent node; containers that end on request are none", () => {
    expect(faultsOf(RECORDED).map((fault) => fault.what)).toEqual([
      "kube-apiserver-master-1 was killed (137: SIGKILL)",
      "worker-1 stopped reporting and is NotReady",
    ]);
  });
  it("are pods that a person deletes", () => {
    const entry = { ...at(504), cause: { loop: "user/bob" } };
    expect(faultOf(entry)?.what).toBe("bob deleted Pod hello-847977f766-fvq24");
  });
});

describe("a write in words", () => {
  it.each([
    [321, "kube-apiserver-master-1 was killed (137: SIGKILL)"],
    [323, "kubelet/master-1 restarted kube-apiserver-master-1"],
    [327, "an API server has announced itself"],
    [330, "kube-apiserver-master-1 is ready"],
    [376, "hello-847977f766-fvq24 is not ready: node worker-1 is unreachable"],
    [378, "node-lifecycle tainted worker-1 unreachable:NoExecute"],
    [382, "Service hello sends no more traffic to 127.10.21.2"],
    [392, "Deployment hello has 1 ready"],
    [504, "hello-847977f766-fvq24 is evicted"],
    [507, "replicaset created hello-847977f766-5rg9h (2 of 3 replicas exist)"],
    [510, "the scheduler assigned hello-847977f766-5rg9h to worker-2"],
    [534, "kubelet/worker-2 started hello-847977f766-5rg9h"],
    [540, "Service hello sends traffic to 127.10.22.2"],
    [600, "worker-1 is Ready again"],
    [604, "node-lifecycle removed the taint unreachable:NoExecute from worker-1"],
    [616, "hello-847977f766-s4kzn is Succeeded"],
    [626, "hello-847977f766-s4kzn is gone"],
    [509, "endpoints changed Endpoints hello"],
  ])("revision %i: %s", (revision, words) => {
    expect(phraseOf(at(revision))).toBe(words);
  });
});
