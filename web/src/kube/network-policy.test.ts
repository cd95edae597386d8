import { expect, it } from "vitest";
import { peersText, policyPorts } from "./network-policy";

it("no peers means everybody, and no ports all", () => {
  expect(peersText([])).toBe("everybody");
  expect(policyPorts(undefined)).toBe("all");
});

it("tells pods here from pods in other namespaces and from addresses", () => {
  expect(peersText([{ podSelector: { matchLabels: { app: "web" } } }])).toBe(
    "pods app=web of this namespace",
  );
  expect(peersText([{ namespaceSelector: {} }])).toBe("all pods in namespaces of any label");
  expect(peersText([{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } }])).toBe(
    "10.0.0.0/8 except 10.1.0.0/16",
  );
  expect(policyPorts([{ port: 80 }, { port: 8000, endPort: 8010, protocol: "UDP" }])).toBe(
    "80/TCP, 8000-8010/UDP",
  );
});
