/** The story strip's sentence: the newest chain of causes in words, in one line. */

import { chain } from "./chains";
import { type Entry, loopOf, objectKey, partOf } from "./entry";
import { type Fault, faultOf } from "./faults";
import { actorOf, phraseOf } from "./phrases";
import { moveOf } from "./moves";

/** One line about what happened last. `at` is when its newest part was written, in seconds since the epoch. */
export interface Story {
  /** The parts in order, joined by the strip with a middle dot. */
  parts: string[];
  at: number;
  /** The write that the Timeline selects when the strip is clicked. */
  revision: number;
  tone: "trouble" | "change" | "ok";
}

/** Faults older than this are history: the newest change of a person or a loop is told instead. */
const FAULT_SECONDS = 600;
const LINKS_MAX = 400;
/** A change is under way for so long; then the line is calm. */
const FRESH_SECONDS = 15;
/** How long before its effects a person's change may have been made to be told as their beginning. */
const ASKED_SECONDS = 60;

/** What the strip says of the journal's entries (oldest first) at `now`; null when nothing was written. */
export function storyOf(entries: readonly Entry[], now: number): Story | null {
  const faults = newestFaults(entries, now);
  const [first] = faults;
  return first ? faultStory(entries, first, faults.length) : changeStory(entries, now);
}

/** The newest fault, and those of the same kind that came with it within ten seconds. */
function newestFaults(entries: readonly Entry[], now: number): Fault[] {
  const found: Fault[] = [];
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (!entry || now - entry.time > FAULT_SECONDS) break;
    const fault = faultOf(entry);
    const [newest] = found;
    if (!fault) continue;
    if (!newest) found.push(fault);
    else if (fault.kind === newest.kind && newest.entry.time - entry.time < 10) {
      if (!found.some((each) => objectKey(each.entry) === objectKey(entry))) found.push(fault);
    } else break;
  }
  return found;
}

function faultStory(entries: readonly Entry[], fault: Fault, count: number): Story {
  const head = count > 1 ? `${fault.what}, and ${count - 1} more` : fault.what;
  const links = followed(entries, fault);
  const over = recovery(fault, links);
  const reactions = links.filter((entry) => isTold(entry) && entry !== over?.entry);
  const newest = over?.entry ?? reactions.at(-1) ?? fault.entry;
  const parts = [head];
  const reaction = over ? reactions.find((entry) => isReaction(fault, entry)) : reactions.at(-1);
  if (reaction) parts.push(phraseOf(reaction));
  if (over) parts.push(`${over.what} after ${seconds(over.entry.time - fault.entry.time)}`);
  return { parts, at: newest.time, revision: fault.entry.revision, tone: over ? "ok" : "trouble" };
}

/** What the fault led to: later writes of the same object, evictions, and whatever reacted to those; oldest first. */
function followed(entries: readonly Entry[], fault: Fault): Entry[] {
  const key = objectKey(fault.entry);
  const linked = new Set([fault.entry.revision]);
  const isEviction = (entry: Entry) =>
    fault.kind === "node" && (entry.cause?.note ?? "").startsWith(`node ${fault.entry.name}:`);
  return entries.filter((entry) => {
    if (entry.revision <= fault.entry.revision) return false;
    const reacted = entry.cause?.seen?.some((seen) => linked.has(seen.revision)) ?? false;
    if (!reacted && objectKey(entry) !== key && !isEviction(entry)) return false;
    linked.add(entry.revision);
    return true;
  });
}

function recovery(fault: Fault, links: readonly Entry[]): { entry: Entry; what: string } | null {
  if (fault.kind === "deletion") {
    const created = links.find((entry) => entry.kind === "Pod" && entry.verb === "ADDED");
    return created ? { entry: created, what: `replaced by ${created.name}` } : null;
  }
  const key = objectKey(fault.entry);
  const ready = links.find(
    (entry) => objectKey(entry) === key && moveOf(entry.summary, "Ready")?.to === "True",
  );
  return ready ? { entry: ready, what: fault.kind === "node" ? "Ready again" : "ready again" } : null;
}

/** Whether a write is the act that mends, rather than bookkeeping about it. */
function isReaction(fault: Fault, entry: Entry): boolean {
  if (fault.kind === "container") return moveOf(entry.summary, "restarts") !== undefined;
  return entry.kind === "Pod" && (entry.verb === "ADDED" || entry.summary.includes("deletion asked"));
}

const NOT_TOLD = new Set(["Endpoints", "ControllerRevision", "Lease"]);

function isTold(entry: Entry): boolean {
  if (NOT_TOLD.has(entry.kind) || isSignIn(entry)) return false;
  return !phraseOf(entry).startsWith(`${actorOf(entry)} changed `);
}

/** The Secrets of sign-in codes come and go with every person who opens the Console. */
function isSignIn(entry: Entry): boolean {
  return entry.kind === "Secret" && entry.name.startsWith("bootstrap-token-");
}

/** Without a fault: what a person changed last, or what loops did, with what came of it. */
function changeStory(entries: readonly Entry[], now: number): Story | null {
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (!entry || !isTold(entry) || isOwnUpkeep(entry)) continue;
    const cause = firstCause(entries, entry);
    const parts = cause && cause !== entry ? [phraseOf(cause), phraseOf(entry)] : [phraseOf(entry)];
    const tone = now - entry.time < FRESH_SECONDS ? "change" : "ok";
    return { parts, at: entry.time, revision: entry.revision, tone };
  }
  return null;
}

/** The recorded cause that began it; without one what a person wrote in the minute before. */
function firstCause(entries: readonly Entry[], entry: Entry): Entry | undefined {
  const [oldest] = chain(entries, entry.revision, LINKS_MAX).filter((link) => link.depth < 0);
  if (oldest && isPersons(oldest.entry)) return oldest.entry;
  const before = entries.filter(
    (each) => each.revision < entry.revision && entry.time - each.time < ASKED_SECONDS && isPersons(each),
  );
  return before.findLast((each) => WORKLOADS.has(each.kind)) ?? oldest?.entry;
}

const WORKLOADS = new Set(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"]);

function isPersons(entry: Entry): boolean {
  return loopOf(entry).startsWith("user/") && !isOwnUpkeep(entry);
}

/** What components write about themselves. */
function isOwnUpkeep(entry: Entry): boolean {
  return loopOf(entry).startsWith("user/") && partOf(loopOf(entry)).startsWith("system:");
}

function seconds(value: number): string {
  if (value < 0.1) return `${Math.round(value * 1000)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} m ${whole % 60} s`;
}
