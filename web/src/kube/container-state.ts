import type { ContainerState, ContainerStatus } from "./kinds";
import { secondsOf, type Tone } from "./object";

/** How a container is, in Kubernetes' word. */
export interface ContainerView {
  word: string;
  tone: Tone;
  message: string;
}

const STARTING = new Set(["ContainerCreating", "PodInitializing"]);

/** How a container is; `Waiting` of one that nothing is reported of yet. */
export function containerState(status: ContainerStatus | undefined): ContainerView {
  const { waiting, running, terminated } = status?.state ?? {};
  if (running) return { word: "Running", tone: status?.ready ? "ok" : "change", message: "" };
  if (terminated) {
    const word = terminated.reason ?? (terminated.exitCode === 0 ? "Completed" : "Error");
    return { word, tone: terminated.exitCode === 0 ? "idle" : "trouble", message: exitText(terminated) };
  }
  const word = waiting?.reason ?? "Waiting";
  const tone = !waiting?.reason || STARTING.has(waiting.reason) ? "change" : "trouble";
  return { word, tone, message: waiting?.message ?? "" };
}

const SIGNALS: Record<number, string> = {
  1: "SIGHUP",
  2: "SIGINT",
  6: "SIGABRT",
  9: "SIGKILL",
  11: "SIGSEGV",
  13: "SIGPIPE",
  15: "SIGTERM",
};

/** How a container ended: its exit code, and the signal behind a code above 128. */
export function exitText(ended: NonNullable<ContainerState["terminated"]>): string {
  const signal = ended.signal ?? (ended.exitCode > 128 ? ended.exitCode - 128 : 0);
  const name = signal ? ` (${SIGNALS[signal] ?? `signal ${signal}`})` : "";
  const reason = ended.reason && !["Error", "Completed"].includes(ended.reason) ? `${ended.reason}, ` : "";
  const message = ended.message ? `: ${ended.message.trim()}` : "";
  return `${reason}exit code ${ended.exitCode}${name}${message}`;
}

/** How a container ended last before the state that it is in. */
export interface LastExit {
  text: string;
  /** Seconds since the epoch; 0 when it is not known. */
  at: number;
  ranSeconds: number;
}

/** The last end of a container; undefined of one that has not ended before. */
export function lastExit(status: ContainerStatus | undefined): LastExit | undefined {
  const ended = status?.lastState?.terminated;
  if (!ended) return undefined;
  const at = secondsOf(ended.finishedAt);
  const started = secondsOf(ended.startedAt);
  return { text: exitText(ended), at, ranSeconds: at && started ? at - started : 0 };
}
