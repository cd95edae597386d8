import "./guide.css";
import { useEffect, useRef } from "preact/hooks";
import { Link } from "../app/link";
import { addressOf } from "../app/match";
import { location } from "../app/router";
import { Button, CopyLine, Icon, Panel } from "../components";
import type { Pod, Workload } from "../kube/kinds";
import { exactNow, now, useJournal } from "../live";
import { useAll } from "../overview/follow";
import { useFlags } from "../settings/use-flags";
import { entriesOf } from "../timeline/entry";
import { filledIn, type Progress, progressOf } from "./detect";
import { beginAnew, guideDone, guideOpen, guideSince } from "./state";
import { type Step, STEPS } from "./steps";

/** The steps, ticked as the cluster's own data shows them done. */
export function GuideSteps() {
  useFlags();
  const deployments = useAll("apps/v1/deployments", { namespace: "default" });
  const control = useAll("v1/pods", { namespace: "kube-system", labels: "component=kube-apiserver" });
  const nodes = useAll("v1/nodes");
  const leases = useAll("coordination.k8s.io/v1/leases", { namespace: "kube-node-lease" });
  const journal = useJournal({ since: 0, limit: 2000 }).value;
  const { path, query } = location.value;
  const progress = progressOf(
    {
      deployments: deployments.items as readonly Workload[],
      controlPods: control.items as readonly Pod[],
      nodes: nodes.items,
      leases: leases.items,
      entries: entriesOf(journal.entries),
      address: addressOf(path, query),
      now: now.value,
      since: guideSince.value,
    },
    guideDone.value,
  );
  useEffect(() => {
    if (progress.done.size > guideDone.peek().size) guideDone.value = progress.done;
  }, [progress.done.size]);
  return (
    <Panel
      title="Guide: test failure and recovery"
      label="Guide"
      onClose={() => (guideOpen.value = false)}
      foot={<Button onClick={() => beginAnew(exactNow())}>Begin anew</Button>}
    >
      <ol class="guide">
        {STEPS.map((step, index) => (
          <StepItem
            key={step.id}
            step={step}
            chapter={step.chapter === STEPS[index - 1]?.chapter ? "" : step.chapter}
            progress={progress}
          />
        ))}
      </ol>
      {progress.next === null && <p class="guide__end">All steps are done.</p>}
    </Panel>
  );
}

interface StepItemProps {
  readonly step: Step;
  readonly chapter: string;
  readonly progress: Progress;
}

function StepItem({ step, chapter, progress }: StepItemProps) {
  const isDone = progress.done.has(step.id);
  const isNext = progress.next === step.id;
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isNext) item.current?.scrollIntoView({ block: "nearest" });
  }, [isNext]);
  const state = isDone ? "done" : isNext ? "next" : "later";
  return (
    <li ref={item} class={`guide__step guide__step--${state}`} aria-current={isNext ? "step" : undefined}>
      {chapter !== "" && <h3 class="guide__chapter">{chapter}</h3>}
      <p class="guide__title">
        <span class="guide__mark">{isDone && <Icon name="check" />}</span>
        {step.title}
        {isDone && <span class="visually-hidden"> (done)</span>}
      </p>
      {isNext &&
        step.commands.map((command) => <CopyLine key={command} text={filledIn(command, progress)} />)}
      {(isNext || isDone) && (
        <p class="guide__look">
          <Link to={filledIn(step.link, progress)}>{step.look}</Link>
        </p>
      )}
    </li>
  );
}
