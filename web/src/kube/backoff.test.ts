import { expect, it } from "vitest";
import { backOff, backOffDelay } from "./backoff";
import type { ContainerStatus } from "./kinds";

it("doubles from 10 s to 5 minutes, with the first restart at once", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7].map(backOffDelay)).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
});

function crashed(message: string, restartCount: number): ContainerStatus {
  return {
    name: "app",
    ready: false,
    restartCount,
    state: { waiting: { reason: "CrashLoopBackOff", message } },
    lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:00:00Z" } },
  };
}

it("counts from the container's end by the pause that the kubelet names", () => {
  const start = Date.parse("2026-01-01T00:00:00Z") / 1000;
  const found = backOff(crashed("back-off 2m40s restarting failed container=app pod=x", 9));
  expect(found).toEqual({ delay: 160, until: start + 160, from: "message" });
});

it("falls back to the kubelet's rule where the message names no pause", () => {
  expect(backOff(crashed("crashed", 3))?.delay).toBe(40);
  expect(backOff(crashed("crashed", 3))?.from).toBe("rule");
});

it("is none for a container that waits for something else", () => {
  const status = crashed("", 1);
  expect(backOff({ ...status, state: { waiting: { reason: "ImagePullBackOff" } } })).toBeUndefined();
  expect(backOff({ ...status, lastState: {} })).toBeUndefined();
});
