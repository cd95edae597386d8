/** All actions that change objects, the most usual first. */
import type { ResourceRef } from "../live/protocol";
import type { ActionSpec } from "./contract";
import { remove } from "./remove";
import { annotate, label } from "./metadata";
import { cordon, evict, uncordon } from "./nodes";
import { rollBack } from "./rollback";
import { pause, restart, resume, scale, setImage, suspend, trigger, unsuspend } from "./workloads";

const ALL: readonly ActionSpec[] = [
  scale,
  restart,
  setImage,
  rollBack,
  pause,
  resume,
  trigger,
  suspend,
  unsuspend,
  cordon,
  uncordon,
  label,
  annotate,
  evict,
  remove,
];

/** The actions on `count` objects of a resource. */
export function specsFor(resource: ResourceRef, count: number): ActionSpec[] {
  return ALL.filter((spec) => spec.applies(resource) && (count === 1 || !spec.single));
}

/** The action of a name; undefined where there is none. */
export function specOf(id: string): ActionSpec | undefined {
  return ALL.find((spec) => spec.id === id);
}
