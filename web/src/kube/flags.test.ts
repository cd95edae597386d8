import { afterEach, expect, it } from "vitest";
import { flag, flagsOfCommands, flagValue, setFlags } from "./flags";

afterEach(() => {
  setFlags({});
});

it("has Kubernetes' defaults until the cluster says otherwise", () => {
  expect(flagValue("controller-manager.node-monitor-grace-period")).toBe("50s");
  setFlags({ "controller-manager.node-monitor-grace-period": "20s" });
  expect(flag("controller-manager.node-monitor-grace-period").value).toBe("20s");
  expect(flagValue("kubelet.max-pods")).toBe("110");
});

it("reads flags from the commands of the control plane", () => {
  const command = ["kube-controller-manager", "--node-monitor-period=2s", "--leader-elect"];
  expect(
    flagsOfCommands([
      { name: "kube-controller-manager", command },
      { name: "etcd", command },
    ]),
  ).toEqual({
    "controller-manager.node-monitor-period": "2s",
  });
});
