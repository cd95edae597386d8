import { useState } from "preact/hooks";
import { resourceNamed } from "../app/resources";
import { actionsFor } from "../actions";
import { Button, CopyLine, Panel, Status } from "../components";
import type { DisruptionBudget, Pod } from "../kube/kinds";
import { at, type KubeObject } from "../kube/object";
import { drainProgress, drainSteps } from "./drain";

interface NodeActionsProps {
  readonly node: KubeObject;
  readonly pods: readonly Pod[];
  readonly budgets: readonly DisruptionBudget[];
}

/** What can be done with the node, and how a drain stands. */
export function NodeActions({ node, pods, budgets }: NodeActionsProps) {
  const [shown, setShown] = useState(false);
  const { name, uid } = node.metadata;
  const resource = resourceNamed("nodes");
  const useless = at(node, "spec", "unschedulable") === true ? "cordon" : "uncordon";
  const all = resource === null ? [] : actionsFor(resource, [{ namespace: "", name, uid }]);
  const actions = all.filter(({ id }) => id !== useless);
  const steps = drainSteps(name, pods, budgets);
  const progress = drainProgress(node, steps);
  return (
    <div class="node-page__actions">
      {actions.map((action) => (
        <Button key={action.id} look={action.destructive ? "danger" : "normal"} onClick={action.run}>
          {action.title}
        </Button>
      ))}
      <Button look="plain" pressed={shown} onClick={() => setShown(!shown)}>
        Drain: {progress.text}
      </Button>
      {shown && (
        <Panel title={`Drain of ${name}`} label={`Drain of ${name}`} onClose={() => setShown(false)}>
          <p>{progress.text}</p>
          <CopyLine text={`kubectl drain ${name} --ignore-daemonsets`} />
          <table class="plain-table">
            <tbody>
              {steps.map(({ pod, state, why }) => (
                <tr key={pod.metadata.uid}>
                  <td>
                    <Status tone={DRAIN_TONES[state]}>{pod.metadata.name}</Status>
                  </td>
                  <td class="plain-table__quiet">{why}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Panel>
      )}
    </div>
  );
}

const DRAIN_TONES = { blocked: "trouble", evict: "change", terminating: "change", stays: "idle" } as const;
