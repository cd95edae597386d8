import "./action-panel.css";
import { useEffect, useState } from "preact/hooks";
import { session } from "../app/session";
import { CopyLine, Status } from "../components";
import type { Resource } from "../kube/resources";
import type { KubeObject } from "../live/protocol";
import { type Access, mayI, refusal } from "./access";
import type { ActionSpec } from "./contract";

interface AccessCheckProps {
  readonly spec: ActionSpec;
  readonly resource: Resource;
  readonly objects: readonly KubeObject[];
  readonly onAnswer: (allowed: boolean) => void;
}

/** Says which permission is missing where the user may not do it; nothing where they may. */
export function AccessCheck({ spec, resource, objects, onAnswer }: AccessCheckProps) {
  const [missing, setMissing] = useState<Access | null>(null);
  useEffect(() => {
    let current = true;
    const wanted = objects.map(({ metadata: { namespace = "", name } }) =>
      spec.access(resource, namespace, name),
    );
    const answers = wanted.map(async (access) => ((await mayI(access)) ? null : access));
    Promise.all(answers).then(
      (found) => {
        if (!current) return;
        const first = found.find((access) => access !== null) ?? null;
        setMissing(first);
        onAnswer(first === null);
      },
      // Where the cluster does not say, the request itself will.
      () => current && onAnswer(true),
    );
    return () => {
      current = false;
    };
  }, [spec, resource, objects.map(({ metadata }) => metadata.uid).join()]);
  if (missing === null) return null;
  return <MissingRight access={missing} />;
}

/** A right that the user lacks: what it is, and how somebody else grants it. */
export function MissingRight({ access }: { readonly access: Access }) {
  const { text, grant } = refusal(access, session.value?.user ?? "");
  return (
    <div class="action__refused" role="alert">
      <Status tone="trouble">{text}</Status>
      {grant.map((line) => (
        <CopyLine key={line} text={line} />
      ))}
    </div>
  );
}
