/** Which rows have just changed, so that each change flashes once. */
import type { Row } from "../live";

const flashMs = 600;

interface Known {
  readonly revision: string;
  readonly changedMs: number;
  readonly changes: number;
}

/** Remembers the revisions of the rows that are shown. */
export class Flashes {
  private known = new Map<string, Known>();

  /** Takes the rows as they are now; `nowMs` is the page's own time. */
  take(rows: ReadonlyMap<number, Row>, nowMs: number): void {
    const next = new Map<string, Known>();
    for (const { uid, revision } of rows.values()) {
      const before = this.known.get(uid);
      if (before === undefined) next.set(uid, { revision, changedMs: -Infinity, changes: 0 });
      else if (before.revision === revision) next.set(uid, before);
      else next.set(uid, { revision, changedMs: nowMs, changes: before.changes + 1 });
    }
    this.known = next;
  }

  /** Empty, or one of two names in turn while the row flashes: a second change begins a flash of its own. */
  flashOf(uid: string, nowMs: number): "" | "a" | "b" {
    const known = this.known.get(uid);
    if (known === undefined || nowMs - known.changedMs >= flashMs) return "";
    return known.changes % 2 === 0 ? "a" : "b";
  }
}
