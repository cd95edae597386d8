import type { Workload } from "./kinds";
import { numberAt, type KubeObject } from "./object";
import { replicasOf } from "./status";

/** One replica set of a Deployment. */
export interface RolloutRow {
  replicaSet: KubeObject;
  wanted: number;
  ready: number;
  /** Whether it has the Deployment's present template. */
  isNew: boolean;
  images: string;
}

const REVISION = "deployment.kubernetes.io/revision";

/** The revision of a Deployment or replica set; 0 without one. */
export function revisionOf(object: KubeObject): number {
  return Number(object.metadata.annotations?.[REVISION] ?? 0) || 0;
}

/** A Deployment's replica sets, the newest revision first. */
export function rolloutOf(deployment: KubeObject, replicaSets: readonly KubeObject[]): RolloutRow[] {
  return [...replicaSets]
    .sort((a, b) => revisionOf(b) - revisionOf(a))
    .map((replicaSet) => ({
      replicaSet,
      wanted: numberAt(replicaSet, ["spec", "replicas"]),
      ready: numberAt(replicaSet, ["status", "readyReplicas"]),
      isNew: revisionOf(replicaSet) === revisionOf(deployment),
      images: (replicaSet as Workload).spec.template.spec.containers.map(({ image }) => image).join(", "),
    }));
}

/** How a workload's rollout stands, in a sentence. */
export function rolloutSentence(workload: Workload): string {
  const { wanted, have, ready, updated } = replicasOf(workload);
  const stale = (workload.status?.observedGeneration ?? 0) < (workload.metadata.generation ?? 0);
  if (stale) return "Its controller has not seen the newest spec yet.";
  if (workload.spec.paused) return "The rollout is paused: changes of the template wait until it is resumed.";
  if (workload.kind !== "ReplicaSet" && updated < wanted)
    return `${updated} of ${wanted} pods have the newest template; old ones leave as new ones become available.`;
  if (have > wanted)
    return `All ${wanted} pods have the newest template; ${have - wanted} old ones are still leaving.`;
  if (have < wanted) return `${have} of ${wanted} pods exist; the others are being created.`;
  if (ready < wanted) return `All ${wanted} pods exist; ${wanted - ready} are not ready.`;
  return wanted === 0 ? "No pods are wanted." : `All ${wanted} pods are up to date and ready.`;
}
