import { useEffect, useRef, useState } from "preact/hooks";
import { added } from "./buffer";
import { followLog, type LogOptions, type LogSource, type StreamState } from "./follower";
import { compareTimes, type LogLine } from "./stream";

/** How each source's stream is, by the source's pod and container. */
export type States = Readonly<Record<string, { readonly state: StreamState; readonly why: string }>>;

const BATCH_MS = 100;

/** The lines of these sources as they come, and how each stream is. */
export function useLog(
  sources: readonly LogSource[],
  options: LogOptions,
): { lines: readonly LogLine[]; states: States } {
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const [states, setStates] = useState<States>({});
  const waiting = useRef<LogLine[]>([]);
  const key = JSON.stringify([sources, options]);
  useEffect(() => {
    const abort = new AbortController();
    waiting.current = [];
    setLines([]);
    setStates({});
    // A burst of lines costs one frame in each 100 ms.
    const timer = setInterval(() => {
      if (waiting.current.length === 0) return;
      const batch = waiting.current;
      waiting.current = [];
      if (sources.length > 1) batch.sort((a, b) => compareTimes(a.time, b.time) || a.id - b.id);
      setLines((before) => added(before, batch));
    }, BATCH_MS);
    const listener = {
      onLines: (more: readonly LogLine[]) => waiting.current.push(...more),
      onState: ({ pod, container }: LogSource, state: StreamState, why: string) =>
        setStates((before) => ({ ...before, [`${pod}/${container}`]: { state, why } })),
    };
    for (const source of sources) void followLog(source, options, listener, abort.signal);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [key]);
  return { lines, states };
}
