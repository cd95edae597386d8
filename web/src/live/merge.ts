/**
 * Applies what the back end sends to what a page shows, purely. Nothing that is shown is taken away by a message about
 * the connection, and no older version of an object follows a newer one.
 */
import type {
  Column,
  DataState,
  JournalEntry,
  JournalMessage,
  KubeObject,
  KubeStatus,
  ListMessage,
  ObjectMessage,
  ObjectsMessage,
  Row,
} from "./protocol";
import { isOlder } from "./revision";

/** What every followed thing says about its data. */
export interface Freshness {
  readonly state: DataState;
  /** When the data was true, in seconds since the epoch; 0 before anything is known. */
  readonly asOf: number;
  readonly revision: string;
  /** Why there is no data, when the cluster refused. */
  readonly error: KubeStatus | null;
}

/** A list as far as it is known: the rows of the window, and counts of all. */
export interface ListView extends Freshness {
  readonly columns: readonly Column[];
  readonly total: number;
  readonly matched: number;
  readonly fresh: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly first: number;
  /** By position in the list. */
  readonly rows: ReadonlyMap<number, Row>;
}

/** One object; null when there is none (or not yet: see `state`). */
export interface ObjectView extends Freshness {
  readonly object: KubeObject | null;
}

/** Whole objects by UID. */
export interface ObjectsView extends Freshness {
  readonly objects: ReadonlyMap<string, KubeObject>;
}

/** Entries of the journal, oldest first. */
export interface JournalView {
  readonly entries: readonly JournalEntry[];
  readonly revision: number;
  readonly oldest: number;
  readonly recorded: boolean;
  readonly state: DataState;
  readonly error: KubeStatus | null;
}

const unknown: Freshness = { state: "loading", asOf: 0, revision: "0", error: null };

/** What a list shows before anything is known. */
export const emptyList: ListView = {
  ...unknown,
  columns: [],
  total: 0,
  matched: 0,
  fresh: 0,
  statuses: {},
  first: 0,
  rows: new Map(),
};
/** What an object's page shows before anything is known. */
export const emptyObject: ObjectView = { ...unknown, object: null };
/** What a view over objects shows before anything is known. */
export const emptyObjects: ObjectsView = { ...unknown, objects: new Map() };
/** The journal before anything is known. */
export const emptyJournal: JournalView = {
  entries: [],
  revision: 0,
  oldest: 0,
  recorded: true,
  state: "loading",
  error: null,
};

/** How far from the window's first row rows stay known. */
const besideWindowMax = 500;

/**
 * The list after `message`; a row that is older than the one shown for the same UID keeps the newer one's content. Rows
 * beside the window stay known until the order changes (`reset`): scrolling back shows them at once.
 */
export function applyList(view: ListView, message: ListMessage): ListView {
  const known = new Map([...view.rows.values()].map((row) => [row.uid, row]));
  const rows = new Map(message.reset === true ? [] : view.rows);
  for (const [key, row] of Object.entries(message.rows)) {
    const position = Number(key);
    if (row === null) rows.delete(position);
    else rows.set(position, newerRow(known.get(row.uid), row));
  }
  const [from, to] = [message.first - besideWindowMax, message.first + besideWindowMax];
  for (const position of rows.keys()) {
    if (position >= message.matched || position < from || position > to) rows.delete(position);
  }
  const { total, matched, fresh, statuses, first, state, revision } = message;
  const columns = message.columns ?? view.columns;
  return {
    columns,
    total,
    matched,
    fresh,
    statuses,
    first,
    rows,
    state,
    asOf: message.as_of,
    revision,
    error: null,
  };
}

function newerRow(known: Row | undefined, next: Row): Row {
  if (known === undefined || next.gone || !isOlder(next.revision, known.revision)) return next;
  return known;
}

/** The object after `message`. */
export function applyObject(view: ObjectView, message: ObjectMessage): ObjectView {
  const fresh = { state: message.state, asOf: message.as_of, error: null };
  const [known, next] = [view.object, message.object];
  const stays =
    next === null
      ? known !== null && isOlder(message.revision, known.metadata.resourceVersion)
      : known !== null && sameButNewer(known, next);
  if (stays) return { ...view, ...fresh };
  return { object: next, revision: message.revision, ...fresh };
}

function sameButNewer(known: KubeObject, next: KubeObject): boolean {
  return (
    known.metadata.uid === next.metadata.uid &&
    isOlder(next.metadata.resourceVersion, known.metadata.resourceVersion)
  );
}

/** The objects after `message`. */
export function applyObjects(view: ObjectsView, message: ObjectsMessage): ObjectsView {
  const objects = new Map(message.reset === true ? [] : view.objects);
  for (const next of message.set) {
    const known = view.objects.get(next.metadata.uid);
    objects.set(next.metadata.uid, known !== undefined && sameButNewer(known, next) ? known : next);
  }
  for (const uid of message.gone) objects.delete(uid);
  return { objects, state: message.state, asOf: message.as_of, revision: message.revision, error: null };
}

/** The journal after `message`, with at most the newest `limit` entries. */
export function applyJournal(view: JournalView, message: JournalMessage, limit: number): JournalView {
  const newest = view.entries.at(-1)?.revision ?? -1;
  const added = message.entries.filter((entry) => entry.revision > newest);
  return {
    entries: added.length === 0 ? view.entries : [...view.entries, ...added].slice(-limit),
    revision: Math.max(view.revision, message.revision),
    oldest: message.oldest,
    recorded: message.recorded,
    state: "live",
    error: null,
  };
}

/** The same data, marked as the last known state of `asOf` or before. */
export function markStale<View extends { readonly state: DataState }>(view: View): View {
  return view.state === "live" ? { ...view, state: "stale" } : view;
}
