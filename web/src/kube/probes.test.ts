import { expect, it } from "vitest";
import { probeText } from "./probes";

it("says what a probe asks and when it has failed, with Kubernetes' defaults", () => {
  expect(probeText({ httpGet: { path: "/healthz", port: 8080 } })).toBe(
    "HTTP GET :8080/healthz every 10 s; answer within 1 s; fails after 3 × 10 s = 30 s",
  );
  expect(probeText({ exec: { command: ["cat", "/ok"] }, initialDelaySeconds: 5, periodSeconds: 2 })).toBe(
    "command cat /ok every 2 s, from 5 s on; answer within 1 s; fails after 3 × 2 s = 6 s",
  );
  expect(probeText(undefined)).toBe("");
});
