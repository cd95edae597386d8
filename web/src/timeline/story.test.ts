import { describe, expect, it } from "vitest";
import { chain, edgesOf } from "./chains";
import { RECORDED, at, until } from "./recorded.test-data";
import { storyOf } from "./story";

const told = (revision: number) => {
  const entries = until(revision);
  return storyOf(entries, (entries.at(-1)?.time ?? 0) + 1)?.parts.join(" · ");
};

describe("the story strip", () => {
  it("tells what a person launched and what has come of it", () => {
    expect(told(204)).toBe("kubernetes-admin created Deployment hello · Deployment hello has 3 ready");
  });
  it("begins with the fault as soon as it is written", () => {
    expect(told(321)).toBe("kube-apiserver-master-1 was killed (137: SIGKILL)");
    expect(told(323)).toBe(
      "kube-apiserver-master-1 was killed (137: SIGKILL) · kubelet/master-1 restarted kube-apiserver-master-1",
    );
  });
  it("says after how long the pod was ready again", () => {
    expect(told(330)).toBe(
      "kube-apiserver-master-1 was killed (137: SIGKILL) · kubelet/master-1 restarted kube-apiserver-master-1 · ready again after 0.3 s",
    );
  });
  it("follows a node's failure to the pods' eviction and their replacement", () => {
    expect(told(374)).toBe("worker-1 stopped reporting and is NotReady");
    expect(told(392)).toBe("worker-1 stopped reporting and is NotReady · Deployment hello has 1 ready");
    expect(told(507)).toBe(
      "worker-1 stopped reporting and is NotReady · replicaset created hello-847977f766-5rg9h (2 of 3 replicas exist)",
    );
  });
  it("ends with the node that is Ready again", () => {
    expect(told(635)).toBe(
      "worker-1 stopped reporting and is NotReady · hello-847977f766-fvq24 is evicted · Ready again after 1 m 24 s",
    );
  });
  it("has its age from its newest part, and is trouble until it is over", () => {
    const story = storyOf(until(323), at(323).time + 3);
    expect(story).toMatchObject({ at: at(323).time, revision: 321, tone: "trouble" });
    expect(storyOf(until(330), at(330).time + 3)?.tone).toBe("ok");
  });
  it("is calm about a change that is over, and leaves out the Secrets of sign-in codes", () => {
    const code = {
      ...at(204),
      kind: "Secret",
      name: "bootstrap-token-x",
      revision: 205,
      time: at(204).time + 20,
    };
    const story = storyOf([...until(204), code], code.time);
    expect(story).toMatchObject({ revision: 204, tone: "ok" });
  });
  it("says nothing of an empty journal", () => {
    expect(storyOf([], 0)).toBeNull();
  });
});

describe("a chain of causes", () => {
  it("leads from a new backend back to the eviction", () => {
    const links = chain(RECORDED, 540);
    expect(links.filter((link) => link.depth <= 0).map((link) => link.entry.revision)).toEqual(
      [376, 382, 386, 391, 504, 507, 510, 515, 534, 539, 540].filter((revision) =>
        links.some((link) => link.entry.revision === revision),
      ),
    );
    expect(links.find((link) => link.entry.revision === 504)?.depth).toBe(-6);
  });
  it("has an arrow for each revision that a loop had seen", () => {
    const edges = edgesOf(chain(RECORDED, 321));
    expect(edges.map(({ from, to }) => `${from.revision} ${to.revision}`)).toEqual([
      "321 323",
      "323 329",
      "329 330",
    ]);
  });
  it("is empty for what is not recorded", () => {
    expect(chain(RECORDED, 1)).toEqual([]);
  });
});
