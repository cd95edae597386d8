/**
 * The one WebSocket of a page. It connects again whenever it is lost (or says nothing for longer than two ticks), opens
 * again what is open, and takes nothing away from what is shown.
 */
import { backoffMs } from "./backoff";
import { exactNow, setServerTime } from "./clock";
import { connection, noteConnection, signedOut } from "./connection";
import type { ListSpec, Opening, PageMessage, ServerMessage } from "./protocol";

/** Messages that belong to what one part of a page follows. */
export type Answer = Extract<ServerMessage, { readonly id: number }>;

/** What one part of a page follows. */
export interface Subscription {
  opening: Opening;
  /** Called with each message about it, in order. */
  readonly take: (answer: Answer) => void;
  /** Called when the data cannot be followed for the moment. */
  readonly lost: () => void;
}

/** Between two signs of life: the back end sends a tick every 5 s. */
const silenceMsMax = 11_000;
const connectMsMax = 6_000;

const open = new Map<number, Subscription>();
let nextId = 1;
let socket: WebSocket | null = null;
let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let watchdog: ReturnType<typeof setTimeout> | undefined;
let lostAt = 0;
let wanted = false;

/** Follows something from now on; returns the number by which it is changed and closed. */
export function subscribe(subscription: Subscription): number {
  const id = nextId++;
  open.set(id, subscription);
  send({ op: "open", id, ...subscription.opening });
  return id;
}

/** Changes which rows a list shows; what is not named stays. */
export function change(id: number, fields: Partial<ListSpec>): void {
  const subscription = open.get(id);
  if (subscription?.opening.what !== "list") return;
  subscription.opening = { ...subscription.opening, ...fields };
  send({ op: "change", id, ...fields });
}

/** Puts a list's new rows where they belong, and removes those that are gone. */
export function merge(id: number): void {
  send({ op: "merge", id });
}

/** Follows something no longer. */
export function unsubscribe(id: number): void {
  if (open.delete(id)) send({ op: "close", id });
}

/** Connects, and stays connected until `disconnect`. */
export function connect(): void {
  wanted = true;
  failures = 0;
  if (socket === null) attempt();
}

/** Ends the connection: nobody is signed in any more. */
export function disconnect(): void {
  wanted = false;
  clearTimeout(retry);
  clearTimeout(watchdog);
  const last = socket;
  socket = null;
  last?.close();
}

function send(message: PageMessage): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function attempt(): void {
  clearTimeout(retry);
  const next = new WebSocket(
    `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/console/live`,
  );
  socket = next;
  expectSign(next, connectMsMax);
  next.onopen = () => {
    if (socket !== next) return;
    for (const [id, subscription] of open) send({ op: "open", id, ...subscription.opening });
  };
  next.onmessage = (event: MessageEvent<string>) => {
    if (socket !== next) return;
    expectSign(next, silenceMsMax);
    receive(JSON.parse(event.data) as ServerMessage);
  };
  next.onclose = () => {
    if (socket === next) lose();
  };
}

/** Gives `which` up when it says nothing for that long: a half-open connection never closes by itself. */
function expectSign(which: WebSocket, waitMs: number): void {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    if (socket !== which) return;
    lose();
    which.close();
  }, waitMs);
}

function lose(): void {
  socket = null;
  clearTimeout(watchdog);
  if (!wanted) return;
  if (connection.peek().phase === "live" || connection.peek().phase === "outage") {
    lostAt = Date.now();
    noteConnection({ phase: "lost", since: exactNow() });
    for (const subscription of open.values()) subscription.lost();
  }
  retry = setTimeout(attempt, backoffMs(failures++, Math.random()));
}

function receive(message: ServerMessage): void {
  switch (message.type) {
    case "hello": {
      failures = 0;
      setServerTime(message.now);
      const before = connection.peek();
      const moved = lostAt !== 0 && before.replica !== message.replica;
      const gapMs = Date.now() - lostAt;
      noteConnection({
        phase: "live",
        since: exactNow(),
        user: message.user,
        server: message.server,
        replica: message.replica,
        failover: moved
          ? { from: before.replica, to: message.replica, gapMs, at: exactNow() }
          : before.failover,
      });
      lostAt = 0;
      return;
    }
    case "server":
      noteConnection({ phase: "live", since: message.at, server: message.name });
      return;
    case "failover": {
      const failover = { from: message.from, to: message.to, gapMs: message.gap_ms, at: message.at };
      noteConnection({ phase: "live", server: message.to, failover });
      return;
    }
    case "outage":
      noteConnection({ phase: "outage", since: message.since });
      return;
    case "tick":
      setServerTime(message.now);
      return;
    case "signed_out":
      disconnect();
      signedOut.value += 1;
      return;
    default:
      open.get(message.id)?.take(message);
  }
}
