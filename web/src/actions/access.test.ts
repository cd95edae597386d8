import { expect, it } from "vitest";
import { refusal } from "./access";

it("names the missing permission, and how it is granted in a namespace", () => {
  const access = {
    verb: "patch",
    group: "apps",
    resource: "deployments",
    subresource: "scale",
    namespace: "shop",
  };
  const { text, grant } = refusal(access, "bob");
  expect(text).toContain("bob may not patch deployments/scale of the group apps in the namespace shop.");
  expect(grant).toEqual([
    "kubectl create role patch-deployments-scale -n shop --verb=patch --resource=deployments.apps/scale",
    "kubectl create rolebinding patch-deployments-scale -n shop --role=patch-deployments-scale --user=bob",
  ]);
});

it("grants to a service account as kubectl names it, and in the cluster by a cluster role", () => {
  const access = { verb: "patch", group: "", resource: "nodes", namespace: "" };
  expect(refusal(access, "system:serviceaccount:kube-system:reader").grant).toEqual([
    "kubectl create clusterrole patch-nodes --verb=patch --resource=nodes",
    "kubectl create clusterrolebinding patch-nodes --clusterrole=patch-nodes --serviceaccount=kube-system:reader",
  ]);
});
