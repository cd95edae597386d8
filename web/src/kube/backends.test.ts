import { expect, it } from "vitest";
import { backendsOf, portText } from "./backends";
import type { Endpoint, EndpointSlice } from "./kinds";

function slice(...endpoints: Endpoint[]): EndpointSlice {
  const metadata = { name: "web-x", uid: "s", resourceVersion: "1", creationTimestamp: "" };
  return { metadata, ports: [{ name: "http", port: 80, protocol: "TCP" }], endpoints };
}

it("ready backends come first, and one without conditions is ready", () => {
  const found = backendsOf([
    slice(
      { addresses: ["10.0.0.3"], conditions: { ready: false } },
      { addresses: ["10.0.0.2"] },
      { addresses: ["10.0.0.1"], conditions: { ready: true } },
    ),
  ]);
  expect(found.map(({ address, word }) => [address, word])).toEqual([
    ["10.0.0.1", "Ready"],
    ["10.0.0.2", "Ready"],
    ["10.0.0.3", "Not ready"],
  ]);
  expect(found[0]?.ports).toBe("http 80/TCP");
});

it("a pod that is being deleted may still serve its connections", () => {
  const conditions = { ready: false, serving: true, terminating: true };
  const [found] = backendsOf([slice({ addresses: ["10.0.0.1"], conditions })]);
  expect(found).toMatchObject({ word: "Terminating, still serving", tone: "change", ready: false });
});

it("prints a port with its node port", () => {
  expect(portText({ name: "http", port: 80, nodePort: 30080 })).toBe("http 80:30080/TCP");
});
