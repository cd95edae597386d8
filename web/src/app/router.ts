/**
 * Where the page is: the address is the state. What a person would send to somebody (the page, filters, a tab, a time
 * range) is in it; what only they need on their way back (how far they scrolled) is kept beside the history's entry.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { addressOf, type Location, locationOf, type Params } from "./match";

interface Entry {
  readonly key: string;
}

const place = signal<Location>(locationOf(window.location.pathname + window.location.search));
const memory = new Map<string, Map<string, unknown>>();
const entriesMax = 100;
let entryKey = keyOf(window.history.state) ?? newKey();

/** The page's path and query. */
export const location: ReadonlySignal<Location> = place;

/** The page's path. */
export const path = computed(() => place.value.path);

function newKey(): string {
  return Math.random().toString(36).slice(2);
}

function keyOf(state: unknown): string | null {
  return typeof state === "object" && state !== null && "key" in state ? (state as Entry).key : null;
}

/** Begins to follow the browser's back and forward; called once by the page. */
export function startRouter(): void {
  window.history.scrollRestoration = "manual";
  window.history.replaceState({ key: entryKey } satisfies Entry, "");
  window.addEventListener("popstate", (event) => {
    entryKey = keyOf(event.state) ?? newKey();
    place.value = locationOf(window.location.pathname + window.location.search);
  });
}

/** Goes to an address of this page; `replace` leaves no entry to come back to. */
export function go(address: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (replace) {
    window.history.replaceState({ key: entryKey } satisfies Entry, "", address);
  } else {
    entryKey = newKey();
    window.history.pushState({ key: entryKey } satisfies Entry, "", address);
  }
  place.value = locationOf(address);
}

/** Changes query parameters of this page and keeps the others; an empty text removes one. Leaves no entry by itself. */
export function setQuery(change: Params, { push = false }: { readonly push?: boolean } = {}): void {
  const { path: here, query } = place.peek();
  const address = addressOf(here, { ...query, ...change });
  if (address !== addressOf(here, query)) go(address, { replace: !push });
}

/** A query parameter of this page; empty when it is not there. */
export function queryParameter(name: string): ReadonlySignal<string> {
  return computed(() => place.value.query[name] ?? "");
}

/** What was kept under this name for the history's present entry; null when nothing was. */
export function recall(name: string): unknown {
  return memory.get(entryKey)?.get(name) ?? null;
}

/** Keeps a value for when a person comes back to this entry of the history. */
export function keep(name: string, value: unknown): void {
  const kept = memory.get(entryKey) ?? new Map<string, unknown>();
  memory.delete(entryKey);
  memory.set(entryKey, kept.set(name, value));
  const oldest = memory.keys().next().value;
  if (memory.size > entriesMax && oldest !== undefined) memory.delete(oldest);
}

/** The history's present entry; changes when a person goes to another page or back to one. */
export function currentEntry(): string {
  return entryKey;
}
