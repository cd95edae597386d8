import "./containers.css";
import { Age, Status } from "../../components";
import { exactNow, now } from "../../live/clock";
import { span } from "../../kube/ages";
import { backOff } from "../../kube/backoff";
import { containerState, lastExit } from "../../kube/container-state";
import type { Container, ContainerStatus, Pod } from "../../kube/kinds";
import { probeText } from "../../kube/probes";
import { ruleOfReason } from "../../kube/reasons";
import { isSidecar } from "../../kube/status";
import { RuleHint, Section } from "../parts";
import { Environment } from "./environment";

interface Entry {
  readonly container: Container;
  readonly status: ContainerStatus | undefined;
  readonly role: string;
}

function entriesOf({ spec, status }: Pod): Entry[] {
  const withStatus = (
    containers: readonly Container[],
    statuses: readonly ContainerStatus[],
    role?: string,
  ) =>
    containers.map((container) => ({
      container,
      status: statuses.find(({ name }) => name === container.name),
      role: role === undefined ? (isSidecar(container) ? "sidecar" : "init") : role,
    }));
  return [
    ...withStatus(spec.initContainers ?? [], status?.initContainerStatuses ?? []),
    ...withStatus(spec.containers, status?.containerStatuses ?? [], ""),
    ...withStatus(spec.ephemeralContainers ?? [], status?.ephemeralContainerStatuses ?? [], "ephemeral"),
  ];
}

/** A pod's containers: state, restarts, last exit, back-off, probes, ports, environment. */
export function Containers({ pod }: { readonly pod: Pod }) {
  return (
    <Section title="Containers">
      {entriesOf(pod).map((entry) => (
        <ContainerCard key={entry.container.name} entry={entry} namespace={pod.metadata.namespace ?? ""} />
      ))}
    </Section>
  );
}

function ContainerCard({ entry, namespace }: { readonly entry: Entry; readonly namespace: string }) {
  const { container, status, role } = entry;
  const { word, tone, message } = containerState(status);
  const rule = ruleOfReason(word);
  const ports = (container.ports ?? []).map(
    ({ name, containerPort, protocol = "TCP" }) => `${name ? `${name} ` : ""}${containerPort}/${protocol}`,
  );
  return (
    <article class="container">
      <header class="container__head">
        <h3>{container.name}</h3>
        {role !== "" && <span class="container__role">{role}</span>}
        <Status tone={tone}>{word}</Status>
        {rule && <RuleHint rule={rule} />}
        <State status={status} />
      </header>
      {message !== "" && word !== "CrashLoopBackOff" && <p class="container__message">{message}</p>}
      <BackOffLine status={status} />
      <LastExit status={status} />
      <dl class="container__facts">
        <dt>Image</dt>
        <dd>
          <code>{container.image}</code>
        </dd>
        <Line label="Command" value={[...(container.command ?? []), ...(container.args ?? [])].join(" ")} />
        <Line label="Ports" value={ports.join(", ")} />
        <Line label="Requests" value={amounts(container.resources?.requests)} />
        <Line label="Limits" value={amounts(container.resources?.limits)} />
        <Line label="Startup probe" value={probeText(container.startupProbe)} />
        <Line label="Liveness probe" value={probeText(container.livenessProbe)} />
        <Line label="Readiness probe" value={probeText(container.readinessProbe)} />
        <Line
          label="Mounts"
          value={(container.volumeMounts ?? [])
            .map(
              ({ name, mountPath, readOnly }) => `${name} at ${mountPath}${readOnly ? " (read-only)" : ""}`,
            )
            .join(", ")}
        />
      </dl>
      <Environment container={container} namespace={namespace} />
    </article>
  );
}

function Line({ label, value }: { readonly label: string; readonly value: string }) {
  if (value === "") return null;
  return (
    <>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </>
  );
}

const amounts = (of: Record<string, string> | undefined) =>
  Object.entries(of ?? {})
    .map(([name, amount]) => `${name} ${amount}`)
    .join(", ");

function State({ status }: { readonly status: ContainerStatus | undefined }) {
  const started = status?.state?.running?.startedAt;
  const restarts = status?.restartCount ?? 0;
  return (
    <span class="container__state">
      {started !== undefined && (
        <span>
          for <Age since={started} />
        </span>
      )}
      <span>
        {restarts} {restarts === 1 ? "restart" : "restarts"}
      </span>
      {status !== undefined && <span>{status.ready ? "ready" : "not ready"}</span>}
    </span>
  );
}

/** How long the back-off of a crashed container still lasts, counted down to the second. */
function BackOffLine({ status }: { readonly status: ContainerStatus | undefined }) {
  const pause = status && backOff(status);
  if (!pause) return null;
  // `now` makes it count; the exact time keeps it from lagging behind by a part of a second.
  const left = pause.until - Math.max(now.value, exactNow());
  const rule = ruleOfReason("CrashLoopBackOff");
  return (
    <p class="container__back-off" role="timer">
      {left > 0 ? `starts again in ${span(Math.ceil(left))}` : "starts again any moment"}
      <span class="container__quiet"> · back-off of {span(pause.delay)}</span>
      {rule && <RuleHint rule={rule} />}
    </p>
  );
}

function LastExit({ status }: { readonly status: ContainerStatus | undefined }) {
  const ended = lastExit(status);
  if (!ended) return null;
  return (
    <p class="container__quiet">
      Last end: {ended.text}
      {ended.at > 0 && (
        <>
          , <Age since={ended.at} suffix="ago" />
        </>
      )}
      {ended.ranSeconds > 0 && `, after ${span(ended.ranSeconds)}`}
    </p>
  );
}
