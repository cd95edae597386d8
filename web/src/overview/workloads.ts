/** Workloads that are not as desired, and why, in one sentence each. */

import { conditionOf, type Tone } from "../kube/conditions";
import type { Pod, Workload } from "../kube/kinds";
import { secondsOf, type KubeObject } from "../kube/object";
import { isOwnedBy } from "../kube/owners";
import { replicasOf } from "../kube/status";
import { podReason, type PodReason } from "./pod-reasons";

/** One workload that is not as desired. */
export interface Deviation {
  object: Workload;
  kind: string;
  wanted: number;
  ready: number;
  why: string;
  tone: Tone;
  /** Since when, in seconds since the epoch; 0 where it does not say. */
  since: number;
}

/** What the deviations are worked out from. */
export interface Workloads {
  deployments: readonly Workload[];
  statefulSets: readonly Workload[];
  daemonSets: readonly Workload[];
  replicaSets: readonly Workload[];
  pods: readonly Pod[];
  nodes: readonly KubeObject[];
}

/** The workloads that are not as desired, those in trouble first, then by name. */
export function deviations(all: Workloads): Deviation[] {
  const loneSets = all.replicaSets.filter(
    (set) => !set.metadata.ownerReferences?.some((each) => each.controller),
  );
  const found = [
    ...all.deployments.map((each) => deviationOf("Deployment", each, all)),
    ...all.statefulSets.map((each) => deviationOf("StatefulSet", each, all)),
    ...all.daemonSets.map((each) => deviationOf("DaemonSet", each, all)),
    ...loneSets.map((each) => deviationOf("ReplicaSet", each, all)),
  ].filter((each) => each !== null);
  const rank = (tone: Tone) => (tone === "trouble" ? 0 : 1);
  return found.sort(
    (a, b) => rank(a.tone) - rank(b.tone) || a.object.metadata.name.localeCompare(b.object.metadata.name),
  );
}

function deviationOf(kind: string, object: Workload, all: Workloads): Deviation | null {
  const { wanted, ready, updated } = countsOf(kind, object);
  const lags = (object.status?.observedGeneration ?? 0) < (object.metadata.generation ?? 0);
  if (!lags && ready >= wanted && updated >= wanted && !failure(kind, object)) return null;
  const { why, tone } = reasonOf(kind, object, all, { wanted, ready, updated, lags });
  const since = secondsOf(conditionOf(object, "Available")?.lastTransitionTime);
  return { object, kind, wanted, ready, why, tone, since: ready < wanted ? since : 0 };
}

interface Counts {
  wanted: number;
  ready: number;
  updated: number;
  lags: boolean;
}

function reasonOf(
  kind: string,
  object: Workload,
  all: Workloads,
  counts: Counts,
): { why: string; tone: Tone } {
  const failed = failure(kind, object);
  if (failed) return { why: failed, tone: "trouble" };
  const pods = podsOf(kind, object, all);
  const reasons = grouped(pods.map((pod) => podReason(pod, all.nodes)).filter((reason) => reason !== null));
  const [first] = reasons;
  if (first) return { why: sentence(reasons), tone: first.tone };
  if (object.spec.paused) return { why: "its rollout is paused", tone: "change" };
  if (counts.lags) return { why: "its controller has not yet seen the last change", tone: "change" };
  if (counts.ready >= counts.wanted)
    return { why: `a rollout is under way: ${counts.updated} of ${counts.wanted} updated`, tone: "change" };
  const missing = counts.wanted - pods.length;
  if (missing > 0) return { why: `${number(missing)} not yet created`, tone: "change" };
  return { why: `${counts.ready} of ${counts.wanted} are ready`, tone: "change" };
}

/** Counts of a workload; items of lists do not say their kind. A replica set has one template only. */
function countsOf(kind: string, object: Workload): { wanted: number; ready: number; updated: number } {
  const counts = replicasOf({ ...object, kind });
  return kind === "ReplicaSet" ? { ...counts, updated: counts.wanted } : counts;
}

/** What a controller says it cannot do; empty when it can. */
function failure(kind: string, object: Workload): string {
  const replica = conditionOf(object, "ReplicaFailure");
  if (replica?.status === "True") return `pods cannot be created: ${replica.message ?? replica.reason ?? ""}`;
  const progressing = conditionOf(object, "Progressing");
  const isLate = progressing?.status === "False" && progressing.reason === "ProgressDeadlineExceeded";
  const { ready, wanted, updated } = countsOf(kind, object);
  return isLate && (ready < wanted || updated < wanted)
    ? `its rollout made no progress for ${object.spec.progressDeadlineSeconds ?? 600} s`
    : "";
}

/** The pods of a workload: its own, or those of its replica sets. */
export function podsOf(kind: string, object: Workload, all: Workloads): Pod[] {
  if (kind !== "Deployment") return all.pods.filter((pod) => isOwnedBy(pod, object));
  const sets = all.replicaSets.filter((set) => isOwnedBy(set, object));
  return all.pods.filter((pod) => sets.some((set) => isOwnedBy(pod, set)));
}

interface Group extends PodReason {
  count: number;
}

function grouped(reasons: readonly PodReason[]): Group[] {
  const groups = new Map<string, Group>();
  for (const reason of reasons) {
    const known = groups.get(reason.text);
    if (known) known.count += 1;
    else groups.set(reason.text, { ...reason, count: 1 });
  }
  return [...groups.values()].sort((a, b) => a.rank - b.rank || b.count - a.count);
}

/** The first two reasons; what comes after them is what they cause. */
function sentence(groups: readonly Group[]): string {
  return groups
    .slice(0, 2)
    .map(({ count, text }) => `${number(count)} ${text}`)
    .join("; ");
}

function number(pods: number): string {
  return pods === 1 ? "1 pod" : `${pods} pods`;
}
