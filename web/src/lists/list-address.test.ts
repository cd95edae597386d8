import { describe, expect, it } from "vitest";
import { resourceNamed } from "../app/resources";
import { changedFields, filtersOf, sortedBy, withStatus } from "./list-address";

const pods = resourceNamed("pods");
const nodes = resourceNamed("nodes");
if (pods === null || nodes === null) throw new Error("pods and nodes are resources of every cluster");

describe("a list's address", () => {
  it("holds its filters", () => {
    const query = { ns: "shop", search: "api", labels: "app=web", status: "Failed,Pending", sort: "-Age" };
    expect(filtersOf(query, pods)).toEqual({
      namespace: "shop",
      search: "api",
      labels: "app=web",
      statuses: ["Failed", "Pending"],
      sort: { column: "Age", descending: true },
    });
  });

  it("says nothing of what is usual", () => {
    expect(filtersOf({}, pods).sort).toEqual({ column: "Name", descending: false });
  });

  it("has no namespace for what belongs to the cluster, so that the chosen one waits for the next list", () => {
    expect(filtersOf({ ns: "shop" }, nodes).namespace).toBe("");
  });

  it("changes by clicks on headings and check boxes", () => {
    expect(sortedBy("Age", { column: "Name", descending: false })).toBe("Age");
    expect(sortedBy("Age", { column: "Age", descending: false })).toBe("-Age");
    expect(sortedBy("Age", { column: "Age", descending: true })).toBe("Age");
    expect(withStatus(["Running"], "Failed", true)).toBe("Running,Failed");
    expect(withStatus(["Running", "Failed"], "Running", false)).toBe("Failed");
  });

  it("asks the back end only for what is not the same", () => {
    const before = filtersOf({ search: "a" }, pods);
    expect(changedFields(before, filtersOf({ search: "ap" }, pods))).toEqual({ search: "ap" });
    expect(changedFields(before, before)).toEqual({});
  });
});
