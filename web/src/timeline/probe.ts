/** The client of the timeline's lowest lane, which asks while somebody looks. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { exactNow } from "../live";
import { requestText } from "../live/api";
import { type ProbeResult, withResult } from "./probe-log";

const PERIOD_MS = 1000;
const TIMEOUT_MS = 5000;

/** The results, oldest first; kept while the page is open. */
export const probes = signal<readonly ProbeResult[]>([]);

let users = 0;
let timer = 0;

async function ask(): Promise<void> {
  const at = exactNow();
  const began = performance.now();
  const end = (ok: boolean) => {
    probes.value = withResult(probes.peek(), { at, ms: performance.now() - began, ok });
  };
  try {
    await requestText("/readyz", { signal: AbortSignal.timeout(TIMEOUT_MS) });
    end(true);
  } catch {
    end(false);
  }
}

/** Asks once a second while the component is there and the page is looked at. */
export function useProbe(): readonly ProbeResult[] {
  useEffect(() => {
    users += 1;
    if (users === 1) {
      timer = window.setInterval(() => {
        if (document.visibilityState === "visible") void ask();
      }, PERIOD_MS);
    }
    return () => {
      users -= 1;
      if (users === 0) window.clearInterval(timer);
    };
  }, []);
  return probes.value;
}
