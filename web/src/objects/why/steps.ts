/** Chains of causes as a person reads them. */
import { type Link, writer } from "../../kube/chain";
import type { Rule } from "../../kube/rule";
import { ruleOfWrite } from "../../kube/rules";

/** One step of a chain. */
export interface Step {
  readonly revision: number;
  /** Seconds since the epoch; 0 when it is not known. */
  readonly time: number;
  /** Seconds after the chain's first step. */
  readonly after: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** What was done to it: "created", "deleted", "changed: replicas 2 → 3". */
  readonly what: string;
  readonly who: string;
  /** What the loop saw. */
  readonly saw: string;
  readonly rule: Rule | undefined;
  /** Whether it is the write that was asked about. */
  readonly asked: boolean;
  /** Negative for causes, positive for consequences. */
  readonly depth: number;
}

const VERBS: Readonly<Record<string, string>> = { ADDED: "created", MODIFIED: "changed", DELETED: "deleted" };

/** The steps of a chain, oldest first. */
export function stepsOf(links: readonly Link[]): Step[] {
  const zero = links.find(({ write }) => write.time > 0)?.write.time ?? 0;
  return links.map(({ write, depth }) => {
    const verb = VERBS[write.verb] ?? write.verb.toLowerCase();
    const { summary = "" } = write;
    return {
      revision: write.revision,
      time: write.time,
      after: write.time > 0 ? write.time - zero : 0,
      kind: write.kind,
      namespace: write.namespace,
      name: write.name,
      what: summary && summary !== verb ? `${verb}: ${summary.replaceAll(" -> ", " → ")}` : verb,
      who: writer(write),
      saw: write.cause?.note ?? "",
      rule: ruleOfWrite(write),
      asked: depth === 0,
      depth,
    };
  });
}

/** A chain in one sentence: who began it with what, and how long it took to the end. */
export function chainTitle(steps: readonly Step[]): string {
  const [first] = steps;
  if (!first) return "";
  return `${first.who} ${first.what.split(":")[0] ?? ""} ${first.kind} ${first.name}`;
}

const FIRST = 2;
const LAST = 6;

/** A chain in three parts, of which the middle is empty unless the chain is long. */
export function folded(steps: readonly Step[]): Record<"first" | "middle" | "last", readonly Step[]> {
  if (steps.length <= FIRST + LAST + 2) return { first: [], middle: [], last: steps };
  return { first: steps.slice(0, FIRST), middle: steps.slice(FIRST, -LAST), last: steps.slice(-LAST) };
}
