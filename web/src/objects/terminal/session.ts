import { apiPath } from "../../live";
import { closed, PROTOCOL, received, resized, typed } from "./channels";

/** What a terminal is connected to. */
export interface TerminalTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly mode: "exec" | "attach";
  readonly command: readonly string[];
}

/** What a terminal shows and is told. */
export interface Screen {
  readonly write: (data: Uint8Array | string) => void;
  readonly onEnd: (message: string, exitCode: number | null) => void;
  readonly onOpen: () => void;
}

/** A connection to a container's terminal. */
export interface TerminalSession {
  readonly type: (text: string) => void;
  readonly resize: (columns: number, rows: number) => void;
  readonly close: () => void;
}

// Often enough for proxies that drop what is idle for a minute; an empty input changes nothing.
const KEEP_ALIVE_SECONDS = 20;

/** The address of a terminal's WebSocket, under the Console's own. */
export function terminalAddress(
  { namespace, pod, container, mode, command }: TerminalTarget,
  origin: string,
): string {
  const path = apiPath({ group: "", version: "v1", plural: "pods" }, namespace, pod, mode);
  const query = new URLSearchParams({
    container,
    stdin: "true",
    stdout: "true",
    stderr: "false",
    tty: "true",
  });
  if (mode === "exec") for (const word of command) query.append("command", word);
  return `${origin.replace(/^http/, "ws")}/k8s${path}?${query.toString()}`;
}

/** Connects a terminal; whoever connects closes it. */
export function connectTerminal(target: TerminalTarget, screen: Screen): TerminalSession {
  const socket = new WebSocket(terminalAddress(target, window.location.origin), [PROTOCOL]);
  socket.binaryType = "arraybuffer";
  let said = false;
  // What is typed while it connects waits for it.
  const waiting: Uint8Array<ArrayBuffer>[] = [];
  const send = (frame: Uint8Array<ArrayBuffer>) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    else if (socket.readyState === WebSocket.CONNECTING) waiting.push(frame);
  };
  const timer = setInterval(() => send(typed("")), KEEP_ALIVE_SECONDS * 1000);
  socket.onopen = () => {
    screen.onOpen();
    for (const frame of waiting) socket.send(frame);
  };
  socket.onmessage = ({ data }) => {
    if (!(data instanceof ArrayBuffer)) return;
    const found = received(data);
    if (found.what === "output") screen.write(found.bytes);
    if (found.what !== "end") return;
    said = true;
    screen.onEnd(found.message, found.exitCode);
  };
  socket.onclose = ({ reason, code }) => {
    clearInterval(timer);
    if (!said) screen.onEnd(reason || (code === 1006 ? "The connection broke." : `Closed (${code}).`), null);
  };
  return {
    type: (text) => send(typed(text)),
    resize: (columns, rows) => send(resized(columns, rows)),
    close: () => {
      said = true;
      send(closed());
      socket.close();
    },
  };
}
