import { describe, expect, it } from "vitest";
import { beyondNavigation, isBuiltIn, titleOf } from "./discovery";

describe("discovery", () => {
  it("names what can be listed beyond the navigation", () => {
    const verbs = ["get", "list", "watch"];
    const found = beyondNavigation({
      groupVersion: "example.com/v1",
      resources: [
        { name: "widgets", kind: "Widget", namespaced: true, verbs, shortNames: ["wd"] },
        { name: "widgets/status", kind: "Widget", namespaced: true, verbs: ["get"] },
        { name: "reviews", kind: "Review", namespaced: false, verbs: ["create"] },
      ],
    });
    expect(found.map(({ plural, title, group, version }) => [plural, title, group, version])).toEqual([
      ["widgets", "Widgets", "example.com", "v1"],
    ]);
  });

  it("leaves out what the navigation has", () => {
    const pod = { name: "pods", kind: "Pod", namespaced: true, verbs: ["list"] };
    const limits = { name: "limitranges", kind: "LimitRange", namespaced: true, verbs: ["list"] };
    expect(
      beyondNavigation({ groupVersion: "v1", resources: [pod, limits] }).map((each) => each.plural),
    ).toEqual(["limitranges"]);
  });

  it("tells Kubernetes' own groups from others", () => {
    expect(["", "apps", "storage.k8s.io", "example.com"].map(isBuiltIn)).toEqual([true, true, true, false]);
  });

  it("makes words of kinds", () => {
    const kinds = ["PriorityClass", "Lease", "NetworkPolicy", "Endpoints", "CSIDriver", "APIService"];
    expect(kinds.map(titleOf)).toEqual([
      "Priority Classes",
      "Leases",
      "Network Policies",
      "Endpoints",
      "CSI Drivers",
      "API Services",
    ]);
  });
});
