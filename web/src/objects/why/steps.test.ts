import { expect, it } from "vitest";
import type { Write } from "../../kube/chain";
import { chainTitle, folded, stepsOf } from "./steps";

const write: Write = {
  revision: 7,
  time: 100,
  kind: "Pod",
  namespace: "d",
  name: "web-1",
  verb: "ADDED",
  summary: "created",
  cause: { loop: "controller-manager/replicaset", note: "1 of 2 replicas exist", instance: "master-1_x" },
};

it("a step says what was done, who did it, what they saw and by which rule", () => {
  const changed = {
    ...write,
    revision: 8,
    time: 101.5,
    verb: "MODIFIED",
    summary: "phase Pending → Running",
  };
  const steps = stepsOf([
    { write, depth: -1 },
    { write: changed, depth: 0 },
  ]);
  expect(steps[0]).toMatchObject({
    what: "created",
    who: "controller-manager/replicaset on master-1",
    asked: false,
  });
  expect(steps[0]?.saw).toBe("1 of 2 replicas exist");
  expect(steps[0]?.rule?.text).toContain("replica set creates pods");
  expect(steps[1]).toMatchObject({ what: "changed: phase Pending → Running", after: 1.5, asked: true });
  expect(chainTitle(steps)).toBe("controller-manager/replicaset on master-1 created Pod web-1");
});

it("folds the middle of a long chain, and nothing of a short one", () => {
  const steps = stepsOf(
    Array.from({ length: 20 }, (_, revision) => ({ write: { ...write, revision }, depth: -1 })),
  );
  const { first, middle, last } = folded(steps);
  expect([first.length, middle.length, last.length]).toEqual([2, 12, 6]);
  expect(folded(steps.slice(0, 10))).toEqual({ first: [], middle: [], last: steps.slice(0, 10) });
});
