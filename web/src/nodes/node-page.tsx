import "./node-page.css";
import { Age, CopyLine, Empty, ErrorNotice, Freshness, Status } from "../components";
import type { DisruptionBudget, Pod } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { useObject } from "../live";
import { resource, useAll } from "../overview/follow";
import { useFlags } from "../settings/use-flags";
import { NodeActions } from "./node-actions";
import { NodeClock } from "./node-clock";
import { CapacitySection, ConditionsSection } from "./node-facts";
import { NodePods } from "./node-pods";
import { addressOf, nodeStatus, rolesOf, sshLine, taintText, taintsOf } from "./status";

/** One node: how it is, what is about to happen to it, what it carries. */
export function NodePage({ name }: { readonly name: string }) {
  useFlags();
  const view = useObject({ resource: resource("v1/nodes"), namespace: "", name }).value;
  const pods = useAll("v1/pods", { fields: `spec.nodeName=${name}` });
  const nodes = useAll("v1/nodes");
  const lease = useObject({
    resource: resource("coordination.k8s.io/v1/leases"),
    namespace: "kube-node-lease",
    name,
  }).value;
  const budgets = useAll("policy/v1/poddisruptionbudgets");
  if (view.error !== null) return <ErrorNotice status={view.error} />;
  const node = view.object;
  if (node === null) {
    if (view.state === "loading") return null;
    return <Empty title={`There is no node ${name}`}>It may have been removed from the cluster.</Empty>;
  }
  const here = pods.items as readonly Pod[];
  return (
    <article class={view.state === "stale" ? "node-page stale-edge" : "node-page"}>
      <NodeHead node={node} state={view.state} asOf={view.asOf} />
      <NodeClock node={node} lease={lease.object} pods={here} nodes={nodes.items} />
      <NodeActions node={node} pods={here} budgets={budgets.items as readonly DisruptionBudget[]} />
      <div class="node-page__columns">
        <ConditionsSection node={node} />
        <CapacitySection node={node} pods={here} />
      </div>
      <NodePods pods={here} state={pods.state} />
    </article>
  );
}

interface HeadProps {
  readonly node: KubeObject;
  readonly state: "loading" | "live" | "stale";
  readonly asOf: number;
}

function NodeHead({ node, state, asOf }: HeadProps) {
  const status = nodeStatus(node);
  const ssh = sshLine(node);
  const taints = taintsOf(node);
  return (
    <header class="node-page__head">
      <h1>{node.metadata.name}</h1>
      <span title={status.message}>
        <Status tone={status.tone}>{status.text}</Status>
        {status.tone !== "ok" && status.since > 0 && (
          <>
            {" "}
            for <Age since={status.since} />
          </>
        )}
      </span>
      {status.tone !== "ok" && <span class="node-page__quiet">{status.reason}</span>}
      <span class="node-page__quiet">{rolesOf(node).join(", ")}</span>
      {ssh === "" ? (
        <span>{addressOf(node)}</span>
      ) : (
        <CopyLine text={ssh} label="command that opens a shell" />
      )}
      <span class="node-page__end">
        <Freshness state={state} asOf={asOf} />
      </span>
      {taints.length > 0 && <span class="node-page__taints">taints {taints.map(taintText).join(", ")}</span>}
    </header>
  );
}
