/** Which namespace the pages show: the address's `ns`, empty for all. */
import { computed } from "@preact/signals";
import { addressOf } from "./match";
import { queryParameter, setQuery } from "./router";

const given = queryParameter("ns");

/** The chosen namespace; empty for all. */
export const namespace = computed(() => given.value);

/** Chooses a namespace for this page and for those that are opened from the navigation. */
export function chooseNamespace(name: string): void {
  setQuery({ ns: name });
}

/** The address of a page, in the chosen namespace. */
export function inNamespace(path: string): string {
  return addressOf(path, { ns: namespace.value });
}
