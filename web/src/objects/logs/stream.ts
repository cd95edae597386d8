/** Lines of logs as they come: bytes to lines, and no line lost or doubled when the stream is opened again. */

/** One line of a container's log. */
export interface LogLine {
  readonly id: number;
  /** Which pod and container it is of: "web-1/app", or "" when there is one only. */
  readonly source: string;
  /** The time as the node wrote it, to the nanosecond. */
  readonly time: string;
  readonly text: string;
}

/** Cuts what arrives into lines; the rest waits for its end. */
export class LineCutter {
  private rest = "";

  /** The whole lines in what was left and this. */
  take(text: string): string[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    return lines;
  }

  /** The last line when the log ended without a line end. */
  end(): string[] {
    const { rest } = this;
    this.rest = "";
    return rest ? [rest] : [];
  }
}

/** A line that was asked for with timestamps, taken apart. */
export function parseLine(line: string): { time: string; text: string } {
  const space = line.indexOf(" ");
  const time = space < 0 ? line : line.slice(0, space);
  if (!/^\d{4}-\d\d-\d\dT/.test(time)) return { time: "", text: line };
  return { time, text: space < 0 ? "" : line.slice(space + 1) };
}

/**
 * Passes each line once over reconnections. `sinceTime` is cut to whole seconds by the kubelet, so a reopened stream
 * begins with lines that were seen: those before the last time are dropped, and of that very time as many as came
 * already.
 */
export class Resumer {
  private last = "";
  private countAtLast = 0;
  private skip = 0;

  /** From when to ask again; "" when nothing has come yet. */
  get sinceTime(): string {
    return this.last;
  }

  /** The stream is open again: what comes now may have come before. */
  reopened(): void {
    this.skip = this.countAtLast;
  }

  /** Whether a line with this time is new. */
  isNew(time: string): boolean {
    if (time === "") return true;
    const order = compareTimes(time, this.last);
    if (order < 0) return false;
    if (order === 0 && this.skip > 0) {
      this.skip -= 1;
      return false;
    }
    if (order > 0) {
      this.last = time;
      this.countAtLast = 0;
      this.skip = 0;
    }
    this.countAtLast += 1;
    return true;
  }
}

/** Compares RFC 3339 times to the nanosecond; fractions may have different lengths. */
export function compareTimes(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? -1 : 1;
  const [whole, other] = [Date.parse(a.slice(0, 19) + zoneOf(a)), Date.parse(b.slice(0, 19) + zoneOf(b))];
  if (whole !== other) return whole - other;
  return fraction(a).localeCompare(fraction(b));
}

const zoneOf = (time: string) => /(Z|[+-]\d\d:\d\d)$/.exec(time)?.[0] ?? "Z";
const fraction = (time: string) => (/\.(\d+)/.exec(time)?.[1] ?? "").padEnd(9, "0");
