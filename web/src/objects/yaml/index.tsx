import "./yaml-tab.css";
import { useEffect, useState } from "preact/hooks";
import { MissingRight } from "../../actions/access-check";
import { type Access, mayI } from "../../actions/access";
import { toast } from "../../components/toasts";
import { Button, CopyLine, ErrorNotice, Status } from "../../components";
import { kubectl } from "../../kube/kubectl";
import type { KubeObject, KubeStatus } from "../../live";
import { statusOfError } from "../../actions/perform";
import type { TabProps } from "../body";
import { Difference } from "./difference";
import { carryOver, changedSince, lastWriter } from "./edit";
import type { Clash } from "./merge";
import { Clashes } from "./clashes";
import { comparable, editable, toYaml } from "./text";
import { useNewest } from "./use-newest";
import type { Problem } from "./validate";
import { marksOf, read, replace } from "./write";
import { YamlEditor } from "./yaml-editor";

/** An object's YAML: read, edited, compared before it is applied, and merged with what others changed meanwhile. */
export default function YamlTab(props: TabProps) {
  const { resource, object } = props;
  const [base, setBase] = useState<KubeObject | null>(null);
  const [failure, setFailure] = useState<KubeStatus | null>(null);
  const [revealed, setRevealed] = useState(false);
  const isSecret = object.kind === "Secret";
  // What is followed live is not whole (values of Secrets, notes of kubectl): what is edited and written back is read.
  useEffect(() => {
    if (!isSecret || revealed)
      read(resource, object).then(setBase, (error: unknown) => setFailure(statusOfError(error)));
  }, [revealed]);
  if (failure !== null) return <ErrorNotice status={failure} />;
  if (isSecret && !revealed)
    return (
      <div class="yaml-tab">
        <div class="yaml-tab__bar">
          <span>In place of each value stands its length.</span>
          <Button onClick={() => setRevealed(true)}>Show values and edit</Button>
        </div>
        <YamlEditor text={toYaml(editable(object, true))} label="YAML" readOnly />
      </div>
    );
  return base === null ? null : <EditYaml {...props} start={base} />;
}

function EditYaml({ resource, object, start }: TabProps & { readonly start: KubeObject }) {
  const [base, setBase] = useState(start);
  const [text, setText] = useState(() => toYaml(editable(start)));
  const [refused, setRefused] = useState<KubeStatus | null>(null);
  const [marks, setMarks] = useState<readonly Problem[]>([]);
  const [clashes, setClashes] = useState<readonly Clash[]>([]);
  const [review, setReview] = useState<{ before: string; after: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState<Access | null>(null);
  const { namespace = "", name } = object.metadata;
  const dirty = text !== toYaml(editable(base));
  useEffect(() => {
    const access = { verb: "update", group: resource.group, resource: resource.plural, namespace, name };
    mayI(access).then(
      (allowed) => setMissing(allowed ? null : access),
      () => setMissing(null),
    );
  }, []);
  const latest = useNewest(resource, object, base);
  useEffect(() => {
    // Without changes of one's own the text follows the cluster.
    if (dirty || latest.metadata.resourceVersion === base.metadata.resourceVersion) return;
    setBase(latest);
    setText(toYaml(editable(latest)));
  }, [latest]);
  const outside = dirty ? changedSince(base, latest) : [];
  const merge = async () => {
    try {
      const theirs = await read(resource, object);
      const found = carryOver(base, text, theirs);
      setBase(theirs);
      setText(found.text);
      setClashes(found.clashes);
      setRefused(null);
      setReview(null);
    } catch (error) {
      setRefused(statusOfError(error));
    }
  };
  const write = async (dryRun: boolean) => {
    setBusy(true);
    const { object: found, refused: why } = await replace(resource, base, text, { dryRun });
    setBusy(false);
    setRefused(why);
    setMarks(why === null ? [] : marksOf(text, why));
    if (found === null) setReview(null);
    else if (dryRun) setReview({ before: comparable(base), after: comparable(found) });
    else {
      setReview(null);
      setClashes([]);
      setBase(found);
      setText(toYaml(editable(found)));
      toast(`${object.kind ?? ""} ${name} saved`);
    }
  };
  const revert = () => {
    setText(toYaml(editable(base)));
    setRefused(null);
    setReview(null);
    setClashes([]);
  };
  return (
    <div class="yaml-tab">
      <div class="yaml-tab__bar">
        {review === null ? (
          <Button
            look="main"
            disabled={!dirty || missing !== null}
            busy={busy}
            onClick={() => void write(true)}
          >
            Review changes
          </Button>
        ) : (
          <>
            <Button look="main" busy={busy} onClick={() => void write(false)}>
              Apply
            </Button>
            <Button onClick={() => setReview(null)}>Back to editing</Button>
          </>
        )}
        <Button disabled={!dirty} onClick={revert}>
          Revert
        </Button>
        <Status tone={dirty ? "change" : "idle"}>{stateText(dirty, review !== null)}</Status>
        <span class="yaml-tab__command">
          <CopyLine text={kubectl.edit({ resource, namespace, name })} label="kubectl command" />
        </span>
      </div>
      {missing !== null && (
        <div class="yaml-tab__notice">
          <MissingRight access={missing} />
        </div>
      )}
      {outside.length > 0 && (
        <div class="yaml-tab__notice" role="status">
          <Status tone="change">{`${lastWriter(object)} changed ${outside.join(", ")} while you edit.`}</Status>
          <Button onClick={() => void merge()}>Merge it into my edit</Button>
        </div>
      )}
      {refused !== null && (
        <div class="yaml-tab__notice">
          <ErrorNotice status={refused}>
            {refused.code === 409 && (
              <Button onClick={() => void merge()}>Merge with the newest version</Button>
            )}
          </ErrorNotice>
        </div>
      )}
      <Clashes
        clashes={clashes}
        text={text}
        onText={setText}
        onSettled={(each) => setClashes(clashes.filter((other) => other !== each))}
      />
      {review !== null && <Difference before={review.before} after={review.after} label="What changes" />}
      <div class={review === null ? "yaml-tab__editor" : "yaml-tab__editor yaml-tab__editor--hidden"}>
        <YamlEditor text={text} label="YAML" marks={marks} readOnly={missing !== null} onChange={setText} />
      </div>
    </div>
  );
}

function stateText(dirty: boolean, reviewed: boolean): string {
  if (reviewed) return "The cluster accepts this (dry run); nothing is written yet.";
  return dirty ? "changed" : "as in the cluster";
}
