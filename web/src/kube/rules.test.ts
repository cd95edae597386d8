import { afterEach, describe, expect, it } from "vitest";
import { setFlags } from "./flags";
import { ruleOf } from "./rules";

afterEach(() => {
  setFlags({});
});

// Every loop that architecture and registry name, with a kind that it writes.
const LOOPS: [string, string, string][] = [
  ["controller-manager/deployment", "ReplicaSet", "new template, revision 2"],
  ["controller-manager/deployment", "Deployment", "revision 2"],
  ["controller-manager/replicaset", "Pod", "2 of 3 replicas exist"],
  ["controller-manager/daemonset", "Pod", "node worker-1 has none"],
  ["controller-manager/endpointslice", "EndpointSlice", "ready: -10.0.0.1"],
  ["controller-manager/endpoints", "Endpoints", "2 ready addresses"],
  ["controller-manager/endpointslicemirroring", "EndpointSlice", "1 endpoints"],
  ["controller-manager/node-lifecycle", "Node", "the node is silent"],
  ["controller-manager/node-taints", "Node", "conditions: all well"],
  ["controller-manager/node-pods", "Pod", "node worker-1 is unreachable"],
  ["controller-manager/taint-eviction", "Pod", "node worker-1: unreachable"],
  ["controller-manager/pod-garbage-collector", "Pod", ""],
  ["controller-manager/garbage-collector", "Pod", "a circle"],
  ["controller-manager/namespace", "Pod", "the namespace is being deleted"],
  ["controller-manager/serviceaccount", "ServiceAccount", "every namespace has one"],
  ["controller-manager/root-ca-certificate-publisher", "ConfigMap", "every namespace has one"],
  ["controller-manager/node-ipam", "Node", ""],
  ["controller-manager/service-lb", "Service", ""],
  ["controller-manager/disruption", "PodDisruptionBudget", "1 disruptions allowed"],
  ["controller-manager/csrapproving", "CertificateSigningRequest", ""],
  ["controller-manager/csrsigning", "CertificateSigningRequest", "approved"],
  ["controller-manager/csrcleaner", "CertificateSigningRequest", ""],
  ["controller-manager/tokencleaner", "Secret", "the token's time is over"],
  ["controller-manager/bootstrapsigner", "ConfigMap", ""],
  ["kube-controller-manager/election", "Lease", ""],
  ["kubelet/worker-1", "Pod", "container app started"],
  ["kubelet/worker-1", "Lease", "lease"],
  ["kubelet/worker-1", "Node", "status changed"],
  ["scheduler", "Pod", "fits on worker-1"],
  ["user/kubernetes-admin", "Deployment", "create"],
  ["user/system:apiserver", "Service", "create"],
];

describe("a rule", () => {
  it.each(LOOPS)("of %s for a %s (%s) has no flag left unnamed", (loop, kind, note) => {
    const rule = ruleOf(loop, kind, note);
    expect(rule?.text).toBeTruthy();
    expect(rule?.text).not.toMatch(/[{}]|undefined/);
  });

  it("tells loops apart whose names end alike", () => {
    expect(ruleOf("controller-manager/pod-garbage-collector")?.text).toMatch(/no longer exist/);
    expect(ruleOf("controller-manager/garbage-collector")?.text).toMatch(/owners/);
  });

  it("names a number's flag with its value in this cluster", () => {
    setFlags({ "controller-manager.node-monitor-grace-period": "20s" });
    const rule = ruleOf("controller-manager/node-lifecycle", "Node", "the node is silent");
    expect(rule?.text).toContain("not renewed for 20s");
    expect(rule?.flags).toContain("controller-manager.node-monitor-grace-period");
  });

  it("is none for a loop that it does not know", () => {
    expect(ruleOf("example/loop")).toBeUndefined();
  });
});
