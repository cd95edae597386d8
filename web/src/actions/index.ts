/** What a person can do with objects: one registry, which lists, object pages and the command palette share. */
import type { Resource } from "../app/resources";

/** What an action needs to know of an object. */
export interface Target {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** One thing that can be done with the given objects. */
export interface Action {
  /** Stable, such as `restart`. */
  readonly id: string;
  /** A verb, such as "Restart". */
  readonly title: string;
  /** Whether something is lost by it: shown apart, and asked about. */
  readonly destructive: boolean;
  /** Begins it; what it needs to know it asks beside the list. */
  readonly run: () => void;
}

/** What can be done with these objects of this resource, the most usual first. */
export function actionsFor(_resource: Resource, _objects: readonly Target[]): readonly Action[] {
  return [];
}
