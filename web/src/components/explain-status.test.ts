import { describe, expect, it } from "vitest";
import { explainStatus } from "./explain-status";

describe("a refusal", () => {
  it("of the authorizer names the verb, the resource and who can grant it", () => {
    const message =
      'deployments.apps "web" is forbidden: User "anna" cannot patch resource "deployments" in API group "apps" in the namespace "shop"';
    const explained = explainStatus({ code: 403, message });
    expect(explained.title).toBe("You may not patch deployments.apps in the namespace shop");
    expect(explained.advice).toContain("create role bindings in the namespace shop");
  });

  it("at the cluster scope says so", () => {
    const message =
      'nodes is forbidden: User "anna" cannot list resource "nodes" in API group "" at the cluster scope';
    expect(explainStatus({ code: 403, message }).title).toBe("You may not list nodes in the whole cluster");
  });

  it("of an invalid object lists the fields", () => {
    const causes = [{ field: "spec.replicas", message: "must be greater than or equal to 0" }];
    expect(explainStatus({ code: 422, details: { causes } }).causes).toEqual(causes);
  });

  it("by conflict says that nothing was overwritten, unless the name is taken", () => {
    expect(explainStatus({ code: 409, reason: "Conflict" }).advice).toContain(
      "Nothing of theirs was overwritten",
    );
    expect(explainStatus({ code: 409, reason: "AlreadyExists" }).title).toBe("The name is taken");
  });
});
