/** The frames of `v5.channel.k8s.io`: a byte that names the channel, then its bytes. */

export const PROTOCOL = "v5.channel.k8s.io";

const STDIN = 0;
const RESIZE = 4;
const CLOSE = 255;

/** What came from the container. */
export type Received =
  | { readonly what: "output"; readonly bytes: Uint8Array }
  | { readonly what: "end"; readonly exitCode: number; readonly message: string }
  | { readonly what: "other" };

function frame(channel: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes.length + 1);
  whole[0] = channel;
  whole.set(bytes, 1);
  return whole;
}

/** What a person typed, as a frame. */
export function typed(text: string): Uint8Array<ArrayBuffer> {
  return frame(STDIN, new TextEncoder().encode(text));
}

/** The terminal's size, as a frame. */
export function resized(columns: number, rows: number): Uint8Array<ArrayBuffer> {
  return frame(RESIZE, new TextEncoder().encode(JSON.stringify({ Width: columns, Height: rows })));
}

/** That nothing more will be typed, as a frame. */
export function closed(): Uint8Array<ArrayBuffer> {
  return frame(CLOSE, new Uint8Array([STDIN]));
}

/** Takes a frame of the container apart. */
export function received(data: ArrayBuffer): Received {
  const bytes = new Uint8Array(data);
  const rest = bytes.subarray(1);
  if (bytes[0] === 1 || bytes[0] === 2) return { what: "output", bytes: rest };
  if (bytes[0] !== 3) return { what: "other" };
  return ended(new TextDecoder().decode(rest));
}

interface Status {
  status?: string;
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

function ended(text: string): Received {
  try {
    const { status, message = "", details } = JSON.parse(text) as Status;
    if (status === "Success") return { what: "end", exitCode: 0, message: "" };
    const code = details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
    return { what: "end", exitCode: code === undefined ? -1 : Number(code), message };
  } catch {
    return { what: "end", exitCode: -1, message: text };
  }
}
