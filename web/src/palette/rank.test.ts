import { describe, expect, it } from "vitest";
import { rank, ranked } from "./rank";

describe("finding by typing", () => {
  it("prefers a beginning to a word's beginning to a part", () => {
    const titles = ["Replica Sets", "Jobs", "Secrets", "Service Accounts", "Stateful Sets"];
    expect(ranked(titles, "se", (title) => title)).toEqual([
      "Secrets",
      "Service Accounts",
      "Replica Sets",
      "Stateful Sets",
    ]);
  });

  it("takes letters in their order", () => {
    expect(rank("Disruption Budgets", "dbu")).toBeGreaterThan(0);
    expect(rank("Disruption Budgets", "bd")).toBeGreaterThan(0);
    expect(rank("Disruption Budgets", "xd")).toBe(0);
  });

  it("finds everything by nothing, in its order", () => {
    expect(ranked(["b", "a"], " ", (title) => title)).toEqual(["b", "a"]);
  });
});
