import { describe, expect, it } from "vitest";
import { chain, chainsOf, writer, type Write } from "./chain";

function write(revision: number, kind: string, name: string, ...seen: number[]): Write {
  const cause = {
    loop: "x",
    seen: seen.map((each) => ({ kind: "", namespace: "", name: "", revision: each })),
  };
  return { revision, time: revision, kind, namespace: "default", name, verb: "MODIFIED", cause, summary: "" };
}

const writes = [
  write(1, "Deployment", "web"),
  write(2, "ReplicaSet", "web-1", 1),
  write(3, "Pod", "web-1-a", 2),
  write(4, "Pod", "web-1-b", 2),
  write(5, "Pod", "web-1-a", 3),
  write(6, "EndpointSlice", "web-x", 5, 99),
  write(7, "ConfigMap", "other"),
];

describe("a chain", () => {
  it("goes back to the first cause and on to the last consequence, oldest first", () => {
    expect(chain(writes, 3).map(({ write: { revision }, depth }) => [revision, depth])).toEqual([
      [1, -2],
      [2, -1],
      [3, 0],
      [5, 1],
      [6, 2],
    ]);
  });

  it("leaves out what is no longer recorded", () => {
    expect(chain(writes, 6).map((link) => link.write.revision)).toEqual([1, 2, 3, 5, 6]);
    expect(chain(writes, 99)).toEqual([]);
  });

  it("holds at most as many links as asked for", () => {
    expect(chain(writes, 2, 3)).toHaveLength(3);
  });
});

it("an object's chains are told newest first, each write once", () => {
  const chains = chainsOf(writes, { kind: "Pod", namespace: "default", name: "web-1-a" });
  expect(chains).toHaveLength(1);
  expect(chains[0]?.map(({ write: { revision } }) => revision)).toEqual([1, 2, 3, 5, 6]);
});

it("names the loop and the host of the one that leads", () => {
  const entry = write(1, "Pod", "a");
  const cause = { loop: "controller-manager/replicaset", instance: "master-1_2b8a" };
  expect(writer({ ...entry, cause })).toBe("controller-manager/replicaset on master-1");
  expect(writer({ ...entry, cause: null, user: "bob" })).toBe("bob");
});
