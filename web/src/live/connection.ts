import { signal } from "@preact/signals";

/** The last time that the page moved from one API server to another. */
export interface Failover {
  readonly from: string;
  readonly to: string;
  readonly gapMs: number;
  readonly at: number;
}

/**
 * How the page is connected: `connecting` before the first answer; `live`; `lost` while the back end does not answer;
 * `outage` while it does and no API server does.
 */
export type Phase = "connecting" | "live" | "lost" | "outage";

/** What the page knows about its connection. Times are in seconds since the epoch. */
export interface Connection {
  readonly phase: Phase;
  /** Since when it has been so. */
  readonly since: number;
  readonly user: string;
  /** The API server that answers, or answered last. */
  readonly server: string;
  /** The replica of the Console that serves this page. */
  readonly replica: string;
  readonly failover: Failover | null;
}

/** How the page is connected now. */
export const connection = signal<Connection>({
  phase: "connecting",
  since: Date.now() / 1000,
  user: "",
  server: "",
  replica: "",
  failover: null,
});

/** Changes parts of the connection's state. */
export function noteConnection(change: Partial<Connection>): void {
  connection.value = { ...connection.peek(), ...change };
}

/** Counts up when the session has ended: the page then asks to sign in. */
export const signedOut = signal(0);
