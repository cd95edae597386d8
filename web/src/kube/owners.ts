import type { KubeObject, OwnerReference } from "./object";

/** The owner that controls an object; undefined where none does. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((each) => each.controller === true);
}

/** Whether an object is owned by another. */
export function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
  return (object.metadata.ownerReferences ?? []).some(({ uid }) => uid === owner.metadata.uid);
}

/** An object and what it owns, downwards. */
export interface OwnedTree {
  object: KubeObject;
  children: OwnedTree[];
}

/** The tree of dependents under an object, among the objects at hand; sorted by kind and name. */
export function dependents(root: KubeObject, objects: readonly KubeObject[]): OwnedTree {
  const byOwner = new Map<string, KubeObject[]>();
  for (const each of objects)
    for (const { uid } of each.metadata.ownerReferences ?? []) {
      const found = byOwner.get(uid);
      if (found) found.push(each);
      else byOwner.set(uid, [each]);
    }
  const seen = new Set<string>();
  const grow = (object: KubeObject): OwnedTree => {
    seen.add(object.metadata.uid);
    const children = (byOwner.get(object.metadata.uid) ?? []).filter(
      ({ metadata }) => !seen.has(metadata.uid),
    );
    children.sort((a, b) => order(a).localeCompare(order(b)));
    return { object, children: children.map(grow) };
  };
  return grow(root);
}

const order = (object: KubeObject) => `${object.kind ?? ""} ${object.metadata.name}`;

/** How many of each kind a tree holds below its root, as words: `1 ReplicaSet, 3 Pods`. */
export function countText(tree: OwnedTree): string {
  const counts = new Map<string, number>();
  const visit = (node: OwnedTree) => {
    for (const child of node.children) {
      const kind = child.object.kind ?? "object";
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      visit(child);
    }
  };
  visit(tree);
  return [...counts].map(([kind, count]) => `${count} ${count === 1 ? kind : `${kind}s`}`).join(", ");
}
