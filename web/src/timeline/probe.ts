/** Clients that ask while somebody looks: an API server, and through it an app's Service. */
import { type Signal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { exactNow } from "../live";
import { requestText } from "../live/api";
import { type ProbeResult, withResult } from "./probe-log";

const PERIOD_MS = 1000;
const TIMEOUT_MS = 5000;
const READINESS = "/readyz";

interface Client {
  readonly results: Signal<readonly ProbeResult[]>;
  users: number;
  timer: number;
}

const clients = new Map<string, Client>();
const none: readonly ProbeResult[] = [];

function clientOf(path: string): Client {
  const known = clients.get(path);
  if (known !== undefined) return known;
  const made: Client = { results: signal(none), users: 0, timer: 0 };
  clients.set(path, made);
  return made;
}

async function ask(path: string, { results }: Client): Promise<void> {
  const at = exactNow();
  const began = performance.now();
  const end = (ok: boolean) => {
    results.value = withResult(results.peek(), { at, ms: performance.now() - began, ok });
  };
  try {
    await requestText(path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    end(true);
  } catch {
    end(false);
  }
}

/** Asks a path of the API once a second while the component is there and looked at; an empty path asks nothing. */
export function useProbe(path = READINESS): readonly ProbeResult[] {
  useEffect(() => {
    if (path === "") return;
    const client = clientOf(path);
    client.users += 1;
    if (client.users === 1) {
      client.timer = self.setInterval(() => {
        if (document.visibilityState === "visible") void ask(path, client);
      }, PERIOD_MS);
    }
    return () => {
      client.users -= 1;
      if (client.users === 0) clearInterval(client.timer);
    };
  }, [path]);
  return path === "" ? none : clientOf(path).results.value;
}
