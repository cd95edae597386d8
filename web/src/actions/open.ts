/** Which action a person has begun: the panel beside the page shows it. */
import { signal } from "@preact/signals";
import type { Resource } from "../kube/resources";

/** What an action needs to know of an object. */
export interface ActionTarget {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** An action that has been begun. */
export interface Begun {
  readonly id: string;
  readonly resource: Resource;
  readonly targets: readonly ActionTarget[];
}

/** The action that is open; null when none is. */
export const begun = signal<Begun | null>(null);

/** Begins an action on objects. */
export function begin(id: string, resource: Resource, targets: readonly ActionTarget[]): void {
  begun.value = { id, resource, targets };
}

/** Closes the action's panel. */
export function closeAction(): void {
  begun.value = null;
}
