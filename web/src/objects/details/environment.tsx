import type { Container, EnvVar } from "../../kube/kinds";
import { Grid, ObjectLink } from "../parts";

interface EnvironmentProps {
  readonly container: Container;
  readonly namespace: string;
}

/** A container's environment; what comes from a Secret is named, never shown. */
export function Environment({ container, namespace }: EnvironmentProps) {
  const { env = [], envFrom = [] } = container;
  if (env.length + envFrom.length === 0) return null;
  const rows = [
    ...env.map((each) => ({
      key: each.name,
      cells: [<code>{each.name}</code>, <Value of={each} namespace={namespace} />],
    })),
    ...envFrom.map(({ configMapRef, secretRef, prefix = "" }) => {
      const [kind, name] = configMapRef
        ? ["ConfigMap", configMapRef.name]
        : ["Secret", secretRef?.name ?? ""];
      return {
        key: `${kind} ${name}`,
        cells: [
          `${prefix}* (all keys)`,
          <ObjectLink kind={kind} name={name} namespace={namespace} withKind />,
        ],
      };
    }),
  ];
  return (
    <details>
      <summary>Environment ({rows.length})</summary>
      <Grid label={`Environment of ${container.name}`} columns={["Name", "Value"]} rows={rows} />
    </details>
  );
}

function Value({
  of: { value = "", valueFrom },
  namespace,
}: {
  readonly of: EnvVar;
  readonly namespace: string;
}) {
  if (!valueFrom) return <code>{value}</code>;
  const { secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef } = valueFrom;
  if (secretKeyRef)
    return (
      <>
        key {secretKeyRef.key} of{" "}
        <ObjectLink kind="Secret" name={secretKeyRef.name} namespace={namespace} withKind />
      </>
    );
  if (configMapKeyRef)
    return (
      <>
        key {configMapKeyRef.key} of{" "}
        <ObjectLink kind="ConfigMap" name={configMapKeyRef.name} namespace={namespace} withKind />
      </>
    );
  return <>the pod's {fieldRef?.fieldPath ?? resourceFieldRef?.resource}</>;
}
