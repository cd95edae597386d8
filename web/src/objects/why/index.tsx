import "./why.css";
import { Empty, Status } from "../../components";
import { now } from "../../live/clock";
import { ago, span } from "../../kube/ages";
import { chainsOf } from "../../kube/chain";
import { resourceOfKind } from "../../kube/resources";
import type { TabProps } from "../body";
import { ObjectLink, RuleHint } from "../parts";
import { useInferred } from "./inferred-writes";
import { useRecorded } from "./recorded";
import { chainTitle, folded, type Step, stepsOf } from "./steps";

/** The chains of causes behind an object's last changes, each step with the rule of Kubernetes that made it so. */
export default function WhyTab({ object }: TabProps) {
  const { writes, recorded, refused, loading } = useRecorded(object);
  const inferred = useInferred(object, !loading && !recorded);
  const known = recorded ? writes : inferred;
  if (loading || known === null) return null;
  const { kind = "", metadata } = object;
  const chains = chainsOf(known, { kind, namespace: metadata.namespace ?? "", name: metadata.name });
  if (chains.length === 0)
    return (
      <Empty title="No causes are recorded">
        Its last change is older than the journal of this API server reaches back, and no cause is stored with
        it.
      </Empty>
    );
  return (
    <div class="why">
      {!recorded && (
        <p class="why__inferred">
          <Status tone="change">Inferred</Status> from managed fields and events,{" "}
          {refused
            ? "for you may not read the journal of causes (get on /homeostat/journal)"
            : "for this cluster records no causes"}
          : the order is by time, and the links are guesses.
        </p>
      )}
      {chains.map((links) => {
        const steps = stepsOf(links);
        return <Chain key={steps.find(({ asked }) => asked)?.revision} steps={steps} />;
      })}
    </div>
  );
}

function Chain({ steps }: { readonly steps: readonly Step[] }) {
  const asked = steps.find((step) => step.asked);
  const upTo = steps.filter(({ depth }) => depth <= 0);
  const led = steps.filter(({ depth }) => depth > 0);
  return (
    <section class="why__chain">
      <header>
        <h2>{chainTitle(steps)}</h2>
        <p class="why__quiet">
          {asked !== undefined && asked.time > 0 && ago(now.value - asked.time)}
          {asked !== undefined && asked.after > 0 && ` · ${upTo.length} steps in ${span(asked.after)}`}
        </p>
      </header>
      <Steps steps={upTo} />
      {led.length > 0 && (
        <details>
          <summary>
            Led to {led.length} further {led.length === 1 ? "write" : "writes"}
          </summary>
          <Steps steps={led} />
        </details>
      )}
    </section>
  );
}

/** The steps; of a long chain the middle is folded: how it began and how it came to the end tell most. */
function Steps({ steps }: { readonly steps: readonly Step[] }) {
  const { first, middle, last } = folded(steps);
  const list = (some: readonly Step[]) => (
    <ol>
      {some.map((step) => (
        <StepLine key={step.revision} step={step} />
      ))}
    </ol>
  );
  return (
    <>
      {list(first)}
      {middle.length > 0 && (
        <details class="why__middle">
          <summary>{middle.length} steps between</summary>
          {list(middle)}
        </details>
      )}
      {list(last)}
    </>
  );
}

function StepLine({ step }: { readonly step: Step }) {
  const apiVersion = apiVersionOfKind(step.kind);
  return (
    <li
      class={step.asked ? "why__step why__step--asked" : "why__step"}
      aria-current={step.asked ? "step" : undefined}
    >
      <span class="why__time">{step.time > 0 ? `+${step.after.toFixed(3)} s` : "earlier"}</span>
      <div>
        <p>
          <ObjectLink
            kind={step.kind}
            apiVersion={apiVersion}
            name={step.name}
            namespace={step.namespace}
            withKind
          />{" "}
          {step.what}
        </p>
        <p class="why__quiet">
          by {step.who}
          {step.saw !== "" && `: ${step.saw}`}
          {step.rule && <RuleHint rule={step.rule} />}
        </p>
        {step.asked && step.rule && <p class="why__rule">{step.rule.text}</p>}
      </div>
    </li>
  );
}

function apiVersionOfKind(kind: string): string {
  const found = resourceOfKind(kind);
  return found?.group ? `${found.group}/${found.version}` : "v1";
}
