import "./action-panel.css";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Button, CopyLine, ErrorNotice, Panel, Status } from "../components";
import type { KubeObject, KubeStatus } from "../live/protocol";
import { AccessCheck } from "./access-check";
import { targetOf, type ActionSpec, type Values } from "./contract";
import { consequences } from "./consequences";
import { ActionField } from "./action-field";
import { closeAction, type Begun } from "./open";
import { load, statusOfError } from "./perform";
import { specOf } from "./registry";
import { runAction, type Outcome } from "./run-action";
import { relatedTo } from "./surroundings";

interface Loaded {
  readonly objects: readonly KubeObject[];
  readonly related: readonly KubeObject[];
}

/** Asks beside the page what an action needs to know, shows its kubectl command, does it and offers undo. */
export function ActionPanel({ begun }: { readonly begun: Begun }) {
  const spec = specOf(begun.id);
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [failure, setFailure] = useState<KubeStatus | null>(null);
  useEffect(() => {
    const objects = load(begun.resource, begun.targets);
    objects
      .then(async (found) => ({ objects: found, related: await relatedTo(begun.id, found) }))
      .then(setLoaded, (error: unknown) => setFailure(statusOfError(error)));
  }, [begun]);
  if (!spec) return null;
  const [only] = begun.targets;
  const what =
    begun.targets.length === 1 && only ? only.name : `${begun.targets.length} ${begun.resource.plural}`;
  return (
    <Panel title={`${spec.title} ${what}`} label={`${spec.title} ${what}`} onClose={closeAction}>
      {failure !== null && <ErrorNotice status={failure} />}
      {loaded !== null && <Form spec={spec} begun={begun} loaded={loaded} />}
    </Panel>
  );
}

interface FormProps {
  readonly spec: ActionSpec;
  readonly begun: Begun;
  readonly loaded: Loaded;
}

function Form({ spec, begun, loaded: { objects, related } }: FormProps) {
  const fields = useMemo(() => spec.fields?.(objects, related) ?? [], [spec, objects, related]);
  const [values, setValues] = useState<Values>(() =>
    Object.fromEntries(fields.map(({ name, value }) => [name, value])),
  );
  const [outcomes, setOutcomes] = useState<readonly Outcome[]>([]);
  const [busy, setBusy] = useState(false);
  const [allowed, setAllowed] = useState(true);
  const useful = objects.filter((object) => spec.useful?.(object) ?? true);
  const problem = spec.problem?.(values) ?? "";
  const run = async () => {
    setBusy(true);
    const found = await runAction(spec, begun.resource, useful, values, related);
    setBusy(false);
    if (found.every(({ failure }) => failure === null)) closeAction();
    else setOutcomes(found);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (!problem && !busy) void run();
  };
  const explanation = spec.explain(objects);
  return (
    <form class="action" onSubmit={submit}>
      {explanation && <p class="action__explain">{explanation}</p>}
      {spec.id === "delete" && <Consequences objects={objects} related={related} values={values} />}
      {useful.length === 0 && <p>It is so already: there is nothing to do.</p>}
      {fields.map((field) => (
        <ActionField
          key={field.name}
          field={field}
          value={values[field.name] ?? ""}
          onChange={(value) => setValues({ ...values, [field.name]: value })}
        />
      ))}
      <AccessCheck spec={spec} resource={begun.resource} objects={useful} onAnswer={setAllowed} />
      <div class="action__commands">
        {useful.slice(0, 5).map((object) => (
          <CopyLine
            key={object.metadata.uid}
            text={spec.command(targetOf(begun.resource, object), values, related)}
            label="kubectl command"
          />
        ))}
        {useful.length > 5 && <p>and {useful.length - 5} more like these</p>}
      </div>
      {problem && <p class="action__problem">{problem}</p>}
      <Outcomes outcomes={outcomes} />
      <div class="action__buttons">
        <Button onClick={closeAction}>Cancel</Button>
        <Button
          type="submit"
          look={spec.destructive ? "danger" : "main"}
          busy={busy}
          disabled={problem !== "" || useful.length === 0 || !allowed}
        >
          {spec.title}
        </Button>
      </div>
    </form>
  );
}

/** What else goes with what is deleted. */
function Consequences({ objects, related, values }: Loaded & { readonly values: Values }) {
  const found = objects.map((object) => ({
    object,
    lines: consequences(object, related, values.propagation ?? "Background"),
  }));
  return (
    <ul class="action__consequences">
      {found.map(({ object, lines }) => (
        <li key={object.metadata.uid}>
          <strong>
            {object.kind} {object.metadata.name}
          </strong>
          <ul>
            {lines.length === 0 && <li>Nothing else goes with it.</li>}
            {lines.map(({ text, tone }) => (
              <li key={text}>
                <Status tone={tone}>{text}</Status>
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

function Outcomes({ outcomes }: { readonly outcomes: readonly Outcome[] }) {
  return (
    <>
      {outcomes.map(({ object, failure }) =>
        failure === null ? (
          <p key={object.metadata.uid}>{object.metadata.name}: done</p>
        ) : (
          <div key={object.metadata.uid}>
            {outcomes.length > 1 && <strong>{object.metadata.name}</strong>}
            <ErrorNotice status={failure} />
          </div>
        ),
      )}
    </>
  );
}
