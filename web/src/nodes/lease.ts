/** The node's Lease: how long ago it was renewed, and when the node is given up. */

import { durationSeconds } from "../kube/ages";
import { span } from "../kube/ages";
import { flagValue } from "../kube/flags";
import { at, secondsOf, textAt, type KubeObject } from "../kube/object";

export const GRACE_FLAG = "controller-manager.node-monitor-grace-period";
export const LEASE_FLAG = "kubelet.node-lease-duration-seconds";

/** How a node's Lease stands. Times are in seconds. */
export interface LeaseState {
  /** Since the last renewal. */
  age: number;
  /** How often it is renewed. */
  every: number;
  /** After how long without a renewal the node is marked unhealthy. */
  grace: number;
  /** The part of `grace` that has run, from 0 to 1. */
  share: number;
  state: "renewed" | "late" | "given up";
  text: string;
}

/** How a Lease stands at `now`; null when there is none. */
export function leaseState(lease: KubeObject | null | undefined, now: number): LeaseState | null {
  const renewed = secondsOf(textAt(lease, "spec", "renewTime"));
  if (!lease || !renewed) return null;
  const grace = durationSeconds(flagValue(GRACE_FLAG)) ?? 50;
  const every =
    (Number(at(lease, "spec", "leaseDurationSeconds")) || Number(flagValue(LEASE_FLAG)) || 40) / 4;
  const age = Math.max(0, now - renewed);
  // A renewal takes a moment, and its news another: a lease is late only well after its time.
  const state = age >= grace ? "given up" : age > every * 1.5 + 1 ? "late" : "renewed";
  const share = Math.min(1, age / grace);
  return { age, every, grace, share, state, text: textOf(state, age, every, grace) };
}

function textOf(state: LeaseState["state"], age: number, every: number, grace: number): string {
  const [seconds, limit] = [Math.floor(age), span(grace)];
  if (state === "late") return `lease missed ${seconds} s of ${limit}`;
  const ago = `last renewed ${seconds < 1 ? "just now" : `${span(seconds)} ago`}`;
  const rule =
    state === "renewed" ? `given up after ${limit}` : `given up after ${limit}: the node is NotReady`;
  return `${ago} (every ${span(every)}; ${rule})`;
}
