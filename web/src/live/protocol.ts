/** What a page and the back end say to each other over the live WebSocket (docs/decisions/0032-the-console.md). */

/** One resource of the API: what is in a path such as `/apis/apps/v1/deployments`. */
export interface ResourceRef {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

/** The part of any object that every page relies on; `kube/` has the types of each kind. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** The metadata that every object has; times are RFC 3339 texts. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly [field: string]: unknown;
}

/** Whose dependent an object is. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

/** A Kubernetes `Status`: why a request was refused. */
export interface KubeStatus {
  readonly kind?: "Status";
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly causes?: readonly {
      readonly reason?: string;
      readonly message?: string;
      readonly field?: string;
    }[];
    readonly retryAfterSeconds?: number;
  };
}

/** How a status looks: healthy, under way, in trouble, or not in use. */
export type Tone = "ok" | "change" | "trouble" | "idle";

/** Whether data follows the cluster; `stale` is the last known state during an outage. */
export type DataState = "loading" | "live" | "stale";

/** One column of a list; an `age` cell is in seconds since the epoch. */
export interface Column {
  readonly name: string;
  readonly kind: "text" | "number" | "age" | "status";
  readonly wide: boolean;
}

/** What a cell may hold. */
export type Cell = string | number | boolean | null;

/** One row of a list as the back end prints it. */
export interface Row {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly cells: readonly Cell[];
  readonly status: string;
  readonly tone: Tone;
  readonly revision: string;
  /** Seconds since the epoch. */
  readonly created: number;
  /** Deleted, and kept in its place until the next merge. */
  readonly gone: boolean;
}

/** Which rows of which resource a list shows. */
export interface ListSpec {
  readonly resource: ResourceRef;
  /** Empty for all namespaces. */
  readonly namespace: string;
  readonly search: string;
  readonly labels: string;
  readonly statuses: readonly string[];
  readonly sort: { readonly column: string; readonly descending: boolean };
  /** The window: the first row, and how many. */
  readonly first: number;
  readonly count: number;
}

/** Which one object to follow; `namespace` is empty for what belongs to the cluster. */
export interface ObjectRef {
  readonly resource: ResourceRef;
  readonly namespace: string;
  readonly name: string;
}

/** Which whole objects to follow. */
export interface ObjectsSpec {
  readonly resource: ResourceRef;
  readonly namespace: string;
  readonly labels: string;
  readonly fields: string;
}

/** From which revision on the journal is followed, and how many entries are kept. */
export interface JournalSpec {
  readonly since: number;
  readonly limit: number;
}

/** What can be opened, as it is sent without its number. */
export type Opening =
  | ({ readonly what: "list" } & ListSpec)
  | ({ readonly what: "object" } & ObjectRef)
  | ({ readonly what: "objects" } & ObjectsSpec)
  | ({ readonly what: "journal" } & JournalSpec);

/** What a page sends. */
export type PageMessage =
  | ({ readonly op: "open"; readonly id: number } & Opening)
  | ({ readonly op: "change"; readonly id: number } & Partial<ListSpec>)
  | { readonly op: "merge" | "close"; readonly id: number };

/** A list, or what changed of it. */
export interface ListMessage {
  readonly type: "list";
  readonly id: number;
  readonly columns?: readonly Column[];
  readonly total: number;
  readonly matched: number;
  readonly fresh: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly first: number;
  /** By position in the list; null for a position that is no more. */
  readonly rows: Readonly<Record<string, Row | null>>;
  readonly reset?: boolean;
  readonly state: DataState;
  readonly as_of: number;
  readonly revision: string;
}

/** The followed object, or null when there is none of that name. */
export interface ObjectMessage {
  readonly type: "object";
  readonly id: number;
  readonly object: KubeObject | null;
  readonly state: DataState;
  readonly as_of: number;
  readonly revision: string;
}

/** Whole objects that are new or changed, and the UIDs of those that are gone. */
export interface ObjectsMessage {
  readonly type: "objects";
  readonly id: number;
  readonly reset?: boolean;
  readonly set: readonly KubeObject[];
  readonly gone: readonly string[];
  readonly state: DataState;
  readonly as_of: number;
  readonly revision: string;
}

/** Entries of the journal of causes; `recorded` is false where they are inferred. */
export interface JournalMessage {
  readonly type: "journal";
  readonly id: number;
  readonly entries: readonly JournalEntry[];
  readonly revision: number;
  readonly oldest: number;
  readonly recorded: boolean;
}

/** One write and what caused it. */
export interface JournalEntry {
  readonly revision: number;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly verb: string;
  readonly user: string | null;
  readonly cause: Cause | null;
  readonly summary: string;
}

/** Who wrote, why, and the writes that were reacted to. */
export interface Cause {
  readonly loop?: string;
  readonly instance?: string;
  readonly note?: string;
  readonly seen?: readonly {
    readonly revision: number;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
  }[];
}

/** What the back end sends. */
export type ServerMessage =
  | ListMessage
  | ObjectMessage
  | ObjectsMessage
  | JournalMessage
  | {
      readonly type: "hello";
      readonly user: string;
      readonly now: number;
      readonly server: string;
      readonly replica: string;
    }
  | { readonly type: "error"; readonly id: number; readonly status: KubeStatus }
  | { readonly type: "server"; readonly name: string; readonly at: number }
  | {
      readonly type: "failover";
      readonly from: string;
      readonly to: string;
      readonly gap_ms: number;
      readonly at: number;
    }
  | { readonly type: "outage"; readonly since: number }
  | { readonly type: "tick"; readonly now: number }
  | { readonly type: "signed_out" };
