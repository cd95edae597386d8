import { describe, expect, it } from "vitest";
import { addressOf, locationOf, matchPath } from "./match";

describe("a path", () => {
  it("matches a pattern part by part and names what the pattern leaves open", () => {
    expect(matchPath("/:resource/:name", "/nodes/worker-1")).toEqual({ resource: "nodes", name: "worker-1" });
    expect(matchPath("/nodes/:name", "/nodes")).toBeNull();
    expect(matchPath("/nodes/:name", "/pods/web")).toBeNull();
  });

  it("may hold any character of a name", () => {
    expect(matchPath("/:resource/:name", "/roles/system%3Anode%2Fa")?.name).toBe("system:node/a");
    expect(matchPath("/:resource/:name", "/roles/100%")?.name).toBe("100%");
  });
});

describe("an address", () => {
  it("holds the query parameters that are not empty, and reads back", () => {
    const address = addressOf("/pods", { ns: "default", search: "a b&c", sort: "" });
    expect(address).toBe("/pods?ns=default&search=a+b%26c");
    expect(locationOf(address)).toEqual({ path: "/pods", query: { ns: "default", search: "a b&c" } });
  });
});
