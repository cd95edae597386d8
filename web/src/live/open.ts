/** What pages follow: lists, objects and the journal, as signals that close when the component leaves. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import {
  applyJournal,
  applyList,
  applyObject,
  applyObjects,
  emptyJournal,
  emptyList,
  emptyObject,
  emptyObjects,
  type JournalView,
  type ListView,
  markStale,
  type ObjectsView,
  type ObjectView,
} from "./merge";
import type {
  DataState,
  JournalSpec,
  KubeStatus,
  ListSpec,
  ObjectRef,
  ObjectsSpec,
  Opening,
} from "./protocol";
import { type Answer, change, merge, subscribe, unsubscribe } from "./socket";

/** Something that is followed; whoever opened it closes it. */
export interface Followed<View> {
  readonly view: ReadonlySignal<View>;
  readonly close: () => void;
}

/** A followed list, whose window and filters can be changed while it is open. */
export interface FollowedList extends Followed<ListView> {
  readonly change: (fields: Partial<ListSpec>) => void;
  readonly merge: () => void;
}

interface Base {
  readonly state: DataState;
  readonly error: KubeStatus | null;
}

function follow<View extends Base>(
  opening: Opening,
  start: View,
  apply: (view: View, answer: Answer) => View,
): Followed<View> & { readonly id: number } {
  const view = signal(start);
  const id = subscribe({
    opening,
    take: (answer) => {
      view.value =
        answer.type === "error" ? { ...view.peek(), error: answer.status } : apply(view.peek(), answer);
    },
    lost: () => {
      view.value = markStale(view.peek());
    },
  });
  return { id, view, close: () => unsubscribe(id) };
}

/** Follows a list's window. */
export function openList(spec: ListSpec): FollowedList {
  const { id, view, close } = follow({ what: "list", ...spec }, emptyList, (shown, answer) =>
    answer.type === "list" ? applyList(shown, answer) : shown,
  );
  return { view, close, change: (fields) => change(id, fields), merge: () => merge(id) };
}

/** Follows one object, which need not exist. */
export function openObject(ref: ObjectRef): Followed<ObjectView> {
  return follow({ what: "object", ...ref }, emptyObject, (view, answer) =>
    answer.type === "object" ? applyObject(view, answer) : view,
  );
}

/** Follows whole objects. */
export function openObjects(spec: ObjectsSpec): Followed<ObjectsView> {
  return follow({ what: "objects", ...spec }, emptyObjects, (view, answer) =>
    answer.type === "objects" ? applyObjects(view, answer) : view,
  );
}

/** Follows the journal of causes. */
export function openJournal(spec: JournalSpec): Followed<JournalView> {
  return follow({ what: "journal", ...spec }, emptyJournal, (view, answer) =>
    answer.type === "journal" ? applyJournal(view, answer, spec.limit) : view,
  );
}

function useFollowed<View, Handle extends Followed<View>>(open: () => Handle, key: string): Handle {
  // Opened while rendering, so that the first answer is on its way before anything is drawn.
  const handle = useMemo(open, [key]);
  useEffect(() => handle.close, [handle]);
  return handle;
}

/** Follows a list while the component is there; a changed spec of another resource opens it anew. */
export function useList(spec: ListSpec): FollowedList {
  return useFollowed<ListView, FollowedList>(() => openList(spec), JSON.stringify(spec.resource));
}

/** Follows one object while the component is there. */
export function useObject(ref: ObjectRef): ReadonlySignal<ObjectView> {
  return useFollowed<ObjectView, Followed<ObjectView>>(() => openObject(ref), JSON.stringify(ref)).view;
}

/** Follows whole objects while the component is there. */
export function useObjects(spec: ObjectsSpec): ReadonlySignal<ObjectsView> {
  return useFollowed<ObjectsView, Followed<ObjectsView>>(() => openObjects(spec), JSON.stringify(spec)).view;
}

/** Follows the journal while the component is there. */
export function useJournal(spec: JournalSpec): ReadonlySignal<JournalView> {
  return useFollowed<JournalView, Followed<JournalView>>(() => openJournal(spec), JSON.stringify(spec)).view;
}
