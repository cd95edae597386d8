import { expect, it } from "vitest";
import type { Pod } from "../../kube/kinds";
import { containersOf, sourcesOf } from "./sources";

function pod(name: string, ...containers: string[]): Pod {
  const metadata = { name, namespace: "d", uid: name, resourceVersion: "1", creationTimestamp: "" };
  return {
    metadata,
    spec: { containers: containers.map((each) => ({ name: each })), initContainers: [{ name: "init" }] },
  };
}

it("titles tell pods and containers apart only where there are several", () => {
  expect(sourcesOf([pod("a", "app")], "app").map(({ title }) => title)).toEqual([""]);
  expect(sourcesOf([pod("a", "app")], "").map(({ title }) => title)).toEqual(["app", "init"]);
  expect(sourcesOf([pod("a", "app"), pod("b", "app")], "app").map(({ title }) => title)).toEqual(["a", "b"]);
  expect(sourcesOf([pod("a", "app"), pod("b", "app")], "")[0]?.title).toBe("a/app");
});

it("names each container once", () => {
  expect(containersOf([pod("a", "app", "side"), pod("b", "app")])).toEqual(["app", "side", "init"]);
});
