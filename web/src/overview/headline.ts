/** The one thing that draws the eye on the Overview, and the calm sentence when nothing does. */

import type { Tone } from "../kube/conditions";
import { span } from "../kube/ages";
import type { KubeObject } from "../kube/object";
import { nodeStatus } from "../nodes/status";
import type { Leader, Member } from "./members";
import type { Deviation } from "./workloads";

/** The headline: what, more about it, and where it is looked at. */
export interface Headline {
  text: string;
  more: string;
  tone: Tone;
  link: string;
}

/** What the headline is chosen from. */
export interface Facts {
  nodes: readonly KubeObject[];
  members: readonly Member[];
  leaders: readonly Leader[];
  deviations: readonly Deviation[];
  now: number;
}

/** The gravest of what is wrong: the control plane, then nodes, then workloads; else that all is well. */
export function headlineOf(facts: Facts): Headline {
  return (
    membersTrouble(facts) ??
    nodesTrouble(facts) ??
    workloadsTrouble(facts) ??
    leadersTrouble(facts) ??
    calm(facts)
  );
}

function membersTrouble({ members }: Facts): Headline | null {
  const down = members.filter((member) => member.tone === "trouble");
  const [first] = down;
  if (!first) return null;
  const peers = members.filter((member) => member.component === first.component);
  const ready = peers.filter((member) => member.ready).length;
  const others = down.length - peers.length + ready;
  return {
    text: `${first.name} is ${first.status}`,
    more: `${ready} of ${peers.length} ${first.component} ready${others > 0 ? `, and ${others} other members are not` : ""}`,
    tone: "trouble",
    link: "/control-plane",
  };
}

function nodesTrouble({ nodes, now }: Facts): Headline | null {
  const down = nodes.filter((node) => nodeStatus(node).tone === "trouble");
  const [first] = down;
  if (!first) return null;
  const status = nodeStatus(first);
  const since = status.since ? ` for ${span(Math.floor(now - status.since))}` : "";
  return {
    text: `${first.metadata.name} is ${status.text}${since}`,
    more:
      down.length > 1
        ? `and ${down.length - 1} more of ${nodes.length} nodes`
        : `${nodes.length - 1} of ${nodes.length} nodes are Ready`,
    tone: "trouble",
    link: down.length > 1 ? "/nodes" : `/nodes/${first.metadata.name}`,
  };
}

function workloadsTrouble({ deviations }: Facts): Headline | null {
  const [first] = deviations;
  if (!first) return null;
  const { name, namespace = "" } = first.object.metadata;
  const more =
    deviations.length > 1 ? `and ${deviations.length - 1} more workloads are not as desired` : first.why;
  return {
    text: `${first.kind} ${name} has ${first.ready} of ${first.wanted} ready`,
    more,
    tone: first.tone,
    link: `/${first.kind.toLowerCase()}s/${namespace}/${name}`,
  };
}

function leadersTrouble({ leaders }: Facts): Headline | null {
  const late = leaders.find((leader) => leader.late);
  if (!late) return null;
  return {
    text: `${late.component} has no leader`,
    more: `its Lease was last renewed ${span(Math.floor(late.age))} ago, and lasts ${span(late.duration)}`,
    tone: "trouble",
    link: "/control-plane",
  };
}

function calm({ nodes, members }: Facts): Headline {
  const servers = members.filter((member) => member.component === "kube-apiserver").length;
  const parts = [`${counted(nodes.length, "node")} Ready`];
  if (servers) parts.push(counted(servers, "API server"));
  parts.push("all workloads as desired");
  return { text: "All is well", more: parts.join(" · "), tone: "ok", link: "" };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
