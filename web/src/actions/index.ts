/** What a person can do with objects: one registry, which lists, object pages and the command palette share. */
import { go } from "../app/router";
import { objectPath, type Resource } from "../app/resources";
import { begin, type ActionTarget } from "./open";
import { specsFor } from "./registry";

export { ActionOutlet } from "./outlet";
export type { ActionTarget as Target } from "./open";

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

const VIEWS: readonly { id: string; title: string; only?: string }[] = [
  { id: "yaml", title: "Edit YAML" },
  { id: "logs", title: "Logs", only: "pods" },
  { id: "terminal", title: "Terminal", only: "pods" },
];

function views(resource: Resource, { namespace, name }: ActionTarget): Action[] {
  const path = objectPath(resource, namespace, name);
  return VIEWS.filter(({ only }) => !only || (only === resource.plural && resource.group === "")).map(
    ({ id, title }) => ({ id, title, destructive: false, run: () => go(`${path}?tab=${id}`) }),
  );
}

/** What can be done with these objects of this resource, the most usual first. */
export function actionsFor(resource: Resource, objects: readonly ActionTarget[]): readonly Action[] {
  const [first] = objects;
  if (!first) return [];
  const changes = specsFor(resource, objects.length).map(({ id, title, destructive = false }) => ({
    id,
    title,
    destructive,
    run: () => begin(id, resource, objects),
  }));
  const safe = changes.filter(({ destructive }) => !destructive);
  const opened = objects.length === 1 ? views(resource, first) : [];
  return [...opened, ...safe, ...changes.filter(({ destructive }) => destructive)];
}
