import { useEffect, useMemo, useState } from "preact/hooks";
import { Link } from "../app/link";
import { Button, Panel } from "../components";
import { writer } from "../kube/chain";
import { resourceOfKind } from "../kube/resources";
import { ruleOfWrite } from "../kube/rules";
import { differences } from "./before-after";
import { chain } from "./chains";
import { type Entry, placeOf } from "./entry";
import { phraseOf } from "./phrases";
import { stepsOf, stepText } from "./steps";
import { type Sides, sidesOf } from "./timeline-data";
import { clockText } from "./window";

interface DetailProps {
  readonly entry: Entry;
  readonly entries: readonly Entry[];
  readonly onSelect: (revision: number) => void;
  readonly onClose: () => void;
  /** Shows these writes whole. */
  readonly onFrame: (entries: readonly Entry[]) => void;
}

/** One write: what it did and by which rule, what it reacted to and led to, and the object before and after. */
export function Detail({ entry, entries, onSelect, onClose, onFrame }: DetailProps) {
  const links = useMemo(() => chain(entries, entry.revision), [entries, entry.revision]);
  const rule = ruleOfWrite(entry);
  const resource = resourceOfKind(entry.kind);
  const place = placeOf(entry);
  return (
    <Panel title={phraseOf(entry)} label="The selected write" onClose={onClose}>
      <div class="timeline-detail">
        <p class="timeline-detail__what">
          {resource === undefined ? (
            `${entry.kind} ${place}`
          ) : (
            <Link to={`/${resource.plural}/${place}`}>{`${entry.kind} ${place}`}</Link>
          )}
          {" · "}
          {clockText(entry.time, 0.01)} · revision {entry.revision}
        </p>
        <p>
          by <strong>{writer(entry)}</strong>
          {entry.cause?.note === undefined ? "" : `: ${entry.cause.note}`}
        </p>
        {rule !== undefined && <p class="timeline-detail__rule">{rule.text}</p>}
        <h3>
          Chain
          <Button look="plain" onClick={() => onFrame(links.map((link) => link.entry))}>
            Show whole
          </Button>
        </h3>
        <ol class="timeline-detail__steps">
          {stepsOf(links).map(({ entry: step, took, since, depth }) => (
            <li key={step.revision}>
              <button
                type="button"
                class="timeline-detail__step"
                aria-current={depth === 0 ? "step" : undefined}
                onClick={() => onSelect(step.revision)}
              >
                <span class="timeline-detail__since">{since === 0 ? "0" : `+${stepText(since)}`}</span>
                <span class="timeline-detail__phrase">{phraseOf(step)}</span>
                <span class="timeline-detail__took" title="since the newest write that it reacted to">
                  {took === null ? "" : stepText(took)}
                </span>
              </button>
            </li>
          ))}
        </ol>
        <h3>Before and after</h3>
        <BeforeAfter entry={entry} />
      </div>
    </Panel>
  );
}

function BeforeAfter({ entry }: { readonly entry: Entry }) {
  const [sides, setSides] = useState<Sides | null>(null);
  useEffect(() => {
    let current = true;
    setSides(null);
    void sidesOf(entry).then((found) => current && setSides(found));
    return () => {
      current = false;
    };
  }, [entry.revision]);
  if (sides === null) return <p class="timeline-detail__quiet">looking at the history…</p>;
  if (sides.before === undefined || sides.after === undefined)
    return <p class="timeline-detail__quiet">{entry.summary} (the history no longer has both sides)</p>;
  const lines = differences(sides.before, sides.after);
  if (lines.length === 0) return <p class="timeline-detail__quiet">{entry.summary}</p>;
  return (
    <dl class="timeline-detail__diff">
      {lines.map(({ path, before, after }) => (
        <div key={path}>
          <dt>{path}</dt>
          {before !== null && <dd class="timeline-detail__before">{before}</dd>}
          {after !== null && <dd class="timeline-detail__after">{after}</dd>}
        </div>
      ))}
    </dl>
  );
}
