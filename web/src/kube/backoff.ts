import { durationSeconds } from "./ages";
import { flagValue } from "./flags";
import type { ContainerStatus } from "./kinds";
import { secondsOf } from "./object";

/** The pause that a crashed container is in. */
export interface BackOff {
  /** How long the pause is, in seconds. */
  delay: number;
  /** When the container starts again, in seconds since the epoch. */
  until: number;
  /** Where `delay` comes from: the kubelet's own message, or its rule applied to the restart count. */
  from: "message" | "rule";
}

/** The kubelet's rule: the first restart is at once, the next waits 10 s, and each one after that twice as long. */
export function backOffDelay(restartCount: number): number {
  const initial = durationSeconds(flagValue("kubelet.crash-loop-back-off-initial")) ?? 10;
  const ceiling = durationSeconds(flagValue("kubelet.crash-loop-back-off-max")) ?? 300;
  return restartCount < 1 ? 0 : Math.min(initial * 2 ** Math.min(restartCount - 1, 32), ceiling);
}

/** The pause that a container is in, from what the kubelet reports of it; undefined when it is in none. */
export function backOff(status: ContainerStatus): BackOff | undefined {
  const waiting = status.state?.waiting;
  if (waiting?.reason !== "CrashLoopBackOff") return undefined;
  const ended = secondsOf(status.lastState?.terminated?.finishedAt);
  if (!ended) return undefined;
  const said = /back-off (\S+) restarting/.exec(waiting.message ?? "")?.[1];
  const seconds = said === undefined ? undefined : durationSeconds(said);
  const delay = seconds ?? backOffDelay(status.restartCount);
  return { delay, until: ended + delay, from: seconds === undefined ? "rule" : "message" };
}
