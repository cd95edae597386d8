import { expect, it } from "vitest";
import { containerState, exitText, lastExit } from "./container-state";

const base = { name: "app", ready: false, restartCount: 1 };

it("names the signal behind an exit code", () => {
  expect(exitText({ exitCode: 137 })).toBe("exit code 137 (SIGKILL)");
  expect(exitText({ exitCode: 137, reason: "OOMKilled" })).toBe("OOMKilled, exit code 137 (SIGKILL)");
  expect(exitText({ exitCode: 1, reason: "Error", message: "no config\n" })).toBe("exit code 1: no config");
});

it("says how a container is in Kubernetes' word", () => {
  expect(containerState({ ...base, ready: true, state: { running: {} } })).toMatchObject({
    word: "Running",
    tone: "ok",
  });
  expect(containerState({ ...base, state: { waiting: { reason: "ErrImagePull" } } }).tone).toBe("trouble");
  expect(containerState({ ...base, state: { waiting: { reason: "ContainerCreating" } } }).tone).toBe(
    "change",
  );
  expect(containerState({ ...base, state: { terminated: { exitCode: 0 } } })).toMatchObject({
    word: "Completed",
  });
  expect(containerState(undefined).word).toBe("Waiting");
});

it("tells the last end with how long the container had run", () => {
  const terminated = { exitCode: 1, startedAt: "2026-01-01T00:00:00Z", finishedAt: "2026-01-01T00:00:42Z" };
  expect(lastExit({ ...base, lastState: { terminated } })?.ranSeconds).toBe(42);
  expect(lastExit(base)).toBeUndefined();
});
