import type { Pod } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { now } from "../live";
import { FlagValue } from "../overview/flag";
import { evictionOf } from "./eviction";
import { GRACE_FLAG, leaseState } from "./lease";

interface NodeClockProps {
  readonly node: KubeObject;
  readonly lease: KubeObject | null;
  readonly pods: readonly Pod[];
  readonly nodes: readonly KubeObject[];
}

const TONES = { renewed: "ok", late: "change", "given up": "trouble" } as const;

/** What runs out for a node, to the second: its lease, then its pods' tolerations. */
export function NodeClock({ node, lease, pods, nodes }: NodeClockProps) {
  const state = leaseState(lease, now.value);
  const eviction = evictionOf(node, pods, nodes, now.value);
  return (
    <dl class="node-page__clock">
      <dt>lease</dt>
      {state === null ? (
        <dd>there is none, or you may not read it</dd>
      ) : (
        <>
          <dd>
            <FlagValue name={GRACE_FLAG}>{state.text}</FlagValue>
          </dd>
          <dd>
            <Run share={state.share} tone={TONES[state.state]} />
          </dd>
        </>
      )}
      <dt>eviction</dt>
      {eviction === null ? (
        <dd>no pod has to leave</dd>
      ) : (
        <>
          <dd>
            <FlagValue name={eviction.flag}>{eviction.text}</FlagValue>
          </dd>
          <dd>{eviction.at > 0 && <Run share={left(node, eviction.at)} tone="change" />}</dd>
        </>
      )}
    </dl>
  );
}

/** The part of the time between the oldest NoExecute taint and the first eviction that has run. */
function left(node: KubeObject, at: number): number {
  const taints =
    (node.spec as { taints?: { effect: string; timeAdded?: string }[] } | undefined)?.taints ?? [];
  const begins = taints
    .filter(({ effect }) => effect === "NoExecute")
    .map(({ timeAdded = "" }) => Date.parse(timeAdded) / 1000);
  const begin = Math.min(...begins.filter(Number.isFinite));
  return Number.isFinite(begin) && at > begin
    ? Math.min(1, Math.max(0, (now.value - begin) / (at - begin)))
    : 0;
}

function Run({ share, tone }: { readonly share: number; readonly tone: "ok" | "change" | "trouble" }) {
  const percent = Math.round(share * 100);
  return (
    <span
      class="node-page__clock-bar"
      role="progressbar"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-label="run out"
    >
      <span class={`node-page__clock-run node-page__clock-run--${tone}`} style={{ width: `${percent}%` }} />
    </span>
  );
}
