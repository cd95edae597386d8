import { expect, it } from "vitest";
import { learn, objectPath, resourceInfo, resourceOf, resourceOfKind } from "./resources";

it("finds a resource by kind and group, and by plural", () => {
  expect(resourceOf({ apiVersion: "apps/v1", kind: "Deployment" }).plural).toBe("deployments");
  expect(resourceOf({ apiVersion: "v1", kind: "Endpoints" }).plural).toBe("endpoints");
  expect(resourceOfKind("EndpointSlice")?.group).toBe("discovery.k8s.io");
  expect(resourceInfo({ group: "", version: "v1", plural: "pods" }).kind).toBe("Pod");
});

it("guesses the plural of a kind that it never heard of, until discovery says it", () => {
  const object = { apiVersion: "example.org/v1", kind: "Policy" };
  const guess = resourceOf(object);
  expect(guess.plural).toBe("policies");
  learn({ ...guess, plural: "policys" });
  expect(resourceOf(object).plural).toBe("policys");
});

it("builds the path of an object from what it says of itself", () => {
  const metadata = { name: "system:node", uid: "u", resourceVersion: "1", creationTimestamp: "" };
  const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata };
  expect(objectPath(role)).toBe("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode");
});
