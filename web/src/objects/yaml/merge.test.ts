import { describe, expect, it } from "vitest";
import { changedPaths, merge3, pathText, withValue } from "./merge";

const base = {
  spec: { replicas: 2, paused: false, containers: [{ name: "a", image: "x:1" }] },
  labels: { a: "1" },
};

describe("merging two changes", () => {
  it("keeps both where they touch different fields", () => {
    const mine = { ...base, spec: { ...base.spec, replicas: 5 } };
    const theirs = { ...base, labels: { a: "1", b: "2" } };
    expect(merge3(base, mine, theirs)).toEqual({
      value: { spec: { ...base.spec, replicas: 5 }, labels: { a: "1", b: "2" } },
      clashes: [],
    });
  });

  it("names the fields that both changed, and keeps mine there", () => {
    const mine = { ...base, spec: { ...base.spec, replicas: 5 } };
    const theirs = { ...base, spec: { ...base.spec, replicas: 3, paused: true } };
    const { value, clashes } = merge3(base, mine, theirs);
    expect(value).toMatchObject({ spec: { replicas: 5, paused: true } });
    expect(clashes).toEqual([{ path: ["spec", "replicas"], mine: 5, theirs: 3 }]);
  });

  it("goes into lists of equal length, and takes others as one value", () => {
    const image = (tag: string) => ({
      ...base,
      spec: { ...base.spec, containers: [{ name: "a", image: tag }] },
    });
    expect(merge3(base, image("x:2"), base).clashes).toEqual([]);
    const both = merge3(base, image("x:2"), image("x:3"));
    expect(pathText(both.clashes[0]?.path ?? [])).toBe("spec.containers[0].image");
    const added = { ...base, spec: { ...base.spec, containers: [] } };
    expect(merge3(base, image("x:2"), added).clashes[0]?.path).toEqual(["spec", "containers"]);
  });

  it("removes what one side removed", () => {
    const { paused: _, ...spec } = base.spec;
    expect(merge3(base, base, { ...base, spec }).value).toEqual({ ...base, spec });
  });

  it("is the same when both made the same change", () => {
    const changed = { ...base, labels: { a: "2" } };
    expect(merge3(base, changed, structuredClone(changed)).clashes).toEqual([]);
  });
});

it("names what changed, and puts the other side's value in its place", () => {
  const after = { ...base, spec: { ...base.spec, replicas: 3 } };
  expect(changedPaths(base, after)).toEqual(["spec.replicas"]);
  expect(withValue(base, ["spec", "replicas"], 3)).toMatchObject({ spec: { replicas: 3 } });
  expect(withValue(base, ["spec", "replicas"], undefined)).not.toHaveProperty("spec.replicas");
  expect(withValue(base, ["spec", "containers", 0, "image"], "y")).toMatchObject({
    spec: { containers: [{ image: "y" }] },
  });
});
