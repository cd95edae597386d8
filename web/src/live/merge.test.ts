import { describe, expect, it } from "vitest";
import {
  applyJournal,
  applyList,
  applyObject,
  applyObjects,
  emptyJournal,
  emptyList,
  emptyObject,
  emptyObjects,
  markStale,
} from "./merge";
import type { JournalEntry, KubeObject, ListMessage, ObjectsMessage, Row } from "./protocol";
import { compareRevisions } from "./revision";

function row(name: string, revision: string, more: Partial<Row> = {}): Row {
  const base = {
    uid: name,
    name,
    namespace: "default",
    cells: [name],
    status: "Running",
    created: 1,
    gone: false,
  };
  return { ...base, tone: "ok", revision, ...more };
}

function list(rows: Record<string, Row | null>, more: Partial<ListMessage> = {}): ListMessage {
  const counts = { total: 3, matched: 3, fresh: 0, statuses: { Running: 3 }, first: 0 };
  return { type: "list", id: 1, ...counts, rows, state: "live", as_of: 5, revision: "9", ...more };
}

function object(name: string, resourceVersion: string): KubeObject {
  return { metadata: { name, uid: name, resourceVersion, creationTimestamp: "" } };
}

function objects(set: KubeObject[], more: Partial<ObjectsMessage> = {}): ObjectsMessage {
  return { type: "objects", id: 1, set, gone: [], state: "live", as_of: 5, revision: "9", ...more };
}

function entry(revision: number): JournalEntry {
  const what = { kind: "Pod", namespace: "default", name: "web", verb: "MODIFIED" };
  return { revision, time: revision, ...what, user: null, cause: null, summary: "" };
}

describe("resource versions", () => {
  it("are compared as numbers of any length", () => {
    expect(compareRevisions("9", "10")).toBeLessThan(0);
    expect(compareRevisions("0010", "10")).toBe(0);
    expect(compareRevisions("90071992547409931", "90071992547409930")).toBeGreaterThan(0);
  });
});

describe("a list", () => {
  const opened = applyList(
    emptyList,
    list({ 0: row("a", "1"), 1: row("b", "2"), 2: row("c", "3") }, { reset: true }),
  );

  it("keeps the rows that a message does not name", () => {
    const next = applyList(opened, list({ 1: row("b", "4", { status: "Failed" }) }));
    expect([...next.rows.values()].map((each) => each.status)).toEqual(["Running", "Failed", "Running"]);
  });

  it("never shows an older version of a row after a newer one, not even after a reset", () => {
    const next = applyList(
      opened,
      list({ 0: row("b", "1", { status: "Pending" }) }, { reset: true, matched: 1 }),
    );
    expect(next.rows.get(0)?.revision).toBe("2");
    expect(next.rows.size).toBe(1);
  });

  it("keeps rows beside the window, until the order changes", () => {
    const moved = applyList(opened, list({ 2: row("c", "9") }, { first: 2 }));
    expect([...moved.rows.values()].map((each) => each.revision)).toEqual(["1", "2", "9"]);
    expect(applyList(moved, list({ 2: row("c", "9") }, { first: 2, reset: true })).rows.size).toBe(1);
  });

  it("drops rows beyond those that match", () => {
    expect([...applyList(opened, list({}, { matched: 2 })).rows.keys()]).toEqual([0, 1]);
  });

  it("keeps what it shows when the connection is lost", () => {
    const lost = markStale(opened);
    expect(lost.state).toBe("stale");
    expect(lost.rows).toBe(opened.rows);
  });

  it("shows a deleted row as gone although its revision is that of the last write", () => {
    expect(applyList(opened, list({ 0: row("a", "0", { gone: true }) })).rows.get(0)?.gone).toBe(true);
  });
});

describe("an object", () => {
  const message = { type: "object", id: 1, state: "live", as_of: 5 } as const;
  const shown = applyObject(emptyObject, { ...message, object: object("a", "7"), revision: "7" });

  it("is not replaced by an older version of itself", () => {
    const next = applyObject(shown, { ...message, object: object("a", "6"), revision: "6" });
    expect(next.object?.metadata.resourceVersion).toBe("7");
  });

  it("is not taken away by a server that has not seen it yet", () => {
    expect(applyObject(shown, { ...message, object: null, revision: "6" }).object).not.toBeNull();
    expect(applyObject(shown, { ...message, object: null, revision: "8" }).object).toBeNull();
  });

  it("is replaced by another object of its name", () => {
    const other = { ...object("a", "8"), metadata: { ...object("a", "8").metadata, uid: "other" } };
    expect(applyObject(shown, { ...message, object: other, revision: "8" }).object?.metadata.uid).toBe(
      "other",
    );
  });
});

describe("objects", () => {
  const shown = applyObjects(emptyObjects, objects([object("a", "5"), object("b", "6")], { reset: true }));

  it("are set and removed by UID", () => {
    const next = applyObjects(shown, objects([object("c", "7")], { gone: ["a"] }));
    expect([...next.objects.keys()]).toEqual(["b", "c"]);
  });

  it("keep the newer version after a reset by a server that is behind", () => {
    const next = applyObjects(shown, objects([object("b", "4")], { reset: true }));
    expect(next.objects.get("b")?.metadata.resourceVersion).toBe("6");
    expect(next.objects.size).toBe(1);
  });
});

describe("the journal", () => {
  it("takes each entry once and keeps the newest", () => {
    const message = { type: "journal", id: 1, oldest: 1, recorded: true } as const;
    const first = applyJournal(emptyJournal, { ...message, entries: [entry(1), entry(2)], revision: 2 }, 3);
    const entries = [entry(2), entry(3), entry(4)];
    const next = applyJournal(first, { ...message, entries, revision: 4 }, 3);
    expect(next.entries.map((each) => each.revision)).toEqual([2, 3, 4]);
  });
});
