/** Reads what a cluster's discovery says of its resources. Pure. */
import { type Resource, resources } from "../app/resources";

/** A group as `/apis` names it. */
export interface ApiGroup {
  readonly name: string;
  readonly preferredVersion?: { readonly groupVersion: string; readonly version: string };
}

/** A group's resources as `/apis/GROUP/VERSION` names them. */
export interface ApiResources {
  readonly groupVersion: string;
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs: readonly string[];
    readonly shortNames?: readonly string[];
  }[];
}

/** The resources of a group version that can be listed and are not in the navigation, by their names. */
export function beyondNavigation(found: ApiResources): readonly Resource[] {
  const [first = "", second] = found.groupVersion.split("/");
  const [group, version] = second === undefined ? ["", first] : [first, second];
  return found.resources
    .filter(({ name, verbs }) => !name.includes("/") && verbs.includes("list"))
    .filter(({ name }) => !resources.some((each) => each.group === group && each.plural === name))
    .map(({ name, kind, namespaced, shortNames = [] }): Resource => {
      return {
        group,
        version,
        plural: name,
        kind,
        namespaced,
        title: titleOf(kind),
        section: "",
        shortNames,
      };
    })
    .toSorted((a, b) => a.title.localeCompare(b.title));
}

/** The words of a kind, of many: `PriorityClass` becomes `Priority Classes`. */
export function titleOf(kind: string): string {
  const words = kind.replace(/([a-z\d])([A-Z])/g, "$1 $2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
  if (/(s|x|ch|sh)$/.test(words))
    return words.endsWith("ints") || words.endsWith("ics") ? words : `${words}es`;
  return /[^aeiou]y$/.test(words) ? `${words.slice(0, -1)}ies` : `${words}s`;
}

/** Whether a group is one of Kubernetes' own. */
export function isBuiltIn(group: string): boolean {
  return !group.includes(".") || group.endsWith(".k8s.io");
}
