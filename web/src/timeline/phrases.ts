/** One write in words: "replicaset created hello-5rg9h because 2 of 3 replicas exist". */

import { type Entry, componentOf, loopOf, partOf } from "./entry";
import { faultOf } from "./faults";
import { moveOf, taintsOf } from "./moves";

/** What the write did, as a sentence without its full stop. */
export function phraseOf(entry: Entry): string {
  const fault = faultOf(entry);
  if (fault) return fault.what;
  const special = PHRASES[entry.kind]?.(entry);
  if (special) return special;
  return `${actorOf(entry)} ${verbOf(entry)} ${entry.kind} ${entry.name}`;
}

/** Who wrote, as short as it is clear: a controller by its own name, a kubelet with its node, a user by name. */
export function actorOf(entry: Entry): string {
  const loop = loopOf(entry);
  if (loop === "user/system:apiserver") return "the API server";
  const component = componentOf(loop);
  if (component === "controller-manager" || component === "user") return partOf(loop);
  return component === "scheduler" ? "the scheduler" : loop;
}

function verbOf(entry: Entry): string {
  if (entry.verb === "ADDED") return "created";
  if (entry.verb === "DELETED") return "deleted";
  return entry.summary.includes("deletion asked") ? "asked to delete" : "changed";
}

type Phrase = (entry: Entry) => string | null;

const PHRASES: Partial<Record<string, Phrase>> = {
  Pod: podPhrase,
  Node: nodePhrase,
  Lease: leasePhrase,
  EndpointSlice: slicePhrase,
  Deployment: countsPhrase,
  ReplicaSet: countsPhrase,
  StatefulSet: countsPhrase,
};

function podPhrase(entry: Entry): string | null {
  const { summary, name } = entry;
  const who = actorOf(entry);
  const note = entry.cause?.note;
  if (entry.verb === "ADDED") return note ? `${who} created ${name} (${note})` : `${who} created ${name}`;
  if (entry.verb === "DELETED") return `${name} is gone`;
  if (summary.includes("deletion asked"))
    return who === "taint-eviction" ? `${name} is evicted` : `${who} asked to delete ${name}`;
  const node = moveOf(summary, "node");
  if (node) return `${who} assigned ${name} to ${node.to}`;
  if (moveOf(summary, "restarts")) return `${who} restarted ${name}`;
  const ready = moveOf(summary, "Ready");
  if (ready?.to === "True") return `${name} is ready`;
  const phase = moveOf(summary, "phase");
  if (phase && phase.to !== "Running") return `${name} is ${phase.to}`;
  if (ready?.from === "True") return note ? `${name} is not ready: ${note}` : `${name} is not ready`;
  if (phase?.to === "Running") return `${who} started ${name}`;
  return null;
}

function nodePhrase(entry: Entry): string | null {
  const { summary, name } = entry;
  const ready = moveOf(summary, "Ready");
  if (ready?.to === "True") return ready.from === "none" ? `${name} is Ready` : `${name} is Ready again`;
  const [added] = taintsOf(summary, "added");
  if (added) return `${actorOf(entry)} tainted ${name} ${shortTaint(added)}`;
  const [removed] = taintsOf(summary, "removed");
  return removed ? `${actorOf(entry)} removed the taint ${shortTaint(removed)} from ${name}` : null;
}

function leasePhrase(entry: Entry): string | null {
  if (entry.namespace === "kube-node-lease") return null;
  const instance = entry.cause?.instance;
  if (componentOf(loopOf(entry)) === "user" && entry.name.startsWith("apiserver-"))
    return "an API server has announced itself";
  return instance ? `${holderNode(instance)} leads as ${entry.name}` : null;
}

function slicePhrase(entry: Entry): string | null {
  const note = entry.cause?.note ?? "";
  if (!note.startsWith("ready: ")) return null;
  const changes = note.slice("ready: ".length).split(/,? /);
  const gone = changes.filter((each) => each.startsWith("-")).map((each) => each.slice(1));
  const come = changes.filter((each) => each.startsWith("+")).map((each) => each.slice(1));
  const service = partOf(entry.cause?.key ?? entry.name);
  const said = [
    come.length ? `sends traffic to ${come.join(", ")}` : "",
    gone.length ? `sends no more traffic to ${gone.join(", ")}` : "",
  ].filter(Boolean);
  return said.length ? `Service ${service} ${said.join(" and ")}` : null;
}

function countsPhrase(entry: Entry): string | null {
  if (entry.verb !== "MODIFIED") return null;
  const asked = moveOf(entry.summary, "spec.replicas");
  if (asked) return `${actorOf(entry)} scaled ${entry.kind} ${entry.name} from ${asked.from} to ${asked.to}`;
  const ready = moveOf(entry.summary, "status.readyReplicas");
  if (ready) return `${entry.kind} ${entry.name} has ${ready.to === "none" ? "0" : ready.to} ready`;
  return null;
}

/** `unreachable:NoExecute` of `node.kubernetes.io/unreachable:NoExecute`. */
export function shortTaint(taint: string): string {
  return taint.replace(/^node(-role)?\.kubernetes\.io\//, "");
}

/** The node of a lease's holder, `master-2_UUID`. */
export function holderNode(holder: string): string {
  const end = holder.lastIndexOf("_");
  return end > 0 ? holder.slice(0, end) : holder;
}
