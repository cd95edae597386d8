import { ApiStatus, apiPath, requestStream } from "../../live";
import { plain } from "./buffer";
import { LineCutter, type LogLine, parseLine, Resumer } from "./stream";

/** Whose log. */
export interface LogSource {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** What stands before its lines; "" for none. */
  readonly title: string;
}

/** What is asked for. */
export interface LogOptions {
  readonly previous: boolean;
  readonly follow: boolean;
  readonly tailLines: number;
}

/** How a source's stream is. */
export type StreamState = "connecting" | "live" | "reconnecting" | "ended" | "refused";

/** Who is told of lines and states. */
export interface Listener {
  readonly onLines: (lines: readonly LogLine[]) => void;
  readonly onState: (source: LogSource, state: StreamState, why: string) => void;
}

const RETRY_SECONDS = [0.5, 1, 2, 4, 8];
let nextId = 1;

/** Reads one container's log, and opens it again when it breaks, without losing or doubling a line, until stopped. */
export async function followLog(
  source: LogSource,
  options: LogOptions,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  const resumer = new Resumer();
  let failures = 0;
  for (;;) {
    try {
      listener.onState(source, resumer.sinceTime ? "reconnecting" : "connecting", "");
      const got = await readOnce(source, options, resumer, listener, signal);
      if (!options.follow || options.previous) {
        listener.onState(source, "ended", "");
        return;
      }
      failures = got ? 0 : failures + 1;
    } catch (error) {
      if (signal.aborted) return;
      const gone = error instanceof ApiStatus && [400, 403, 404].includes(error.code);
      listener.onState(
        source,
        gone ? "refused" : "reconnecting",
        error instanceof Error ? error.message : "",
      );
      if (error instanceof ApiStatus && (error.code === 403 || (gone && options.previous))) return;
      failures += 1;
    }
    const seconds = RETRY_SECONDS[Math.min(failures, RETRY_SECONDS.length - 1)] ?? 8;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    if (signal.aborted) return;
  }
}

function queryOf(source: LogSource, options: LogOptions, sinceTime: string): Record<string, string> {
  const query: Record<string, string> = { container: source.container, timestamps: "true" };
  if (options.follow && !options.previous) query.follow = "true";
  if (options.previous) query.previous = "true";
  if (sinceTime) query.sinceTime = sinceTime;
  else if (options.tailLines > 0) query.tailLines = String(options.tailLines);
  return query;
}

/** Reads until the stream ends; returns whether anything came. Throws ApiStatus when it is refused. */
async function readOnce(
  source: LogSource,
  options: LogOptions,
  resumer: Resumer,
  listener: Listener,
  signal: AbortSignal,
): Promise<boolean> {
  const path = apiPath({ group: "", version: "v1", plural: "pods" }, source.namespace, source.pod, "log");
  const response = await requestStream(path, { query: queryOf(source, options, resumer.sinceTime), signal });
  resumer.reopened();
  listener.onState(source, "live", "");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return false;
  const cutter = new LineCutter();
  const pass = (lines: readonly string[]) => {
    const parsed = lines.map(parseLine).filter(({ time }) => resumer.isNew(time));
    const found = parsed.map(({ time, text }) => ({
      id: nextId++,
      source: source.title,
      time,
      text: plain(text),
    }));
    if (found.length > 0) listener.onLines(found);
    return found.length > 0;
  };
  let got = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return pass(cutter.end()) || got;
    if (pass(cutter.take(value))) got = true;
  }
}
