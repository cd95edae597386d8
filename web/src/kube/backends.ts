import type { Endpoint, EndpointSlice, Service, ServicePort } from "./kinds";
import type { Tone } from "./object";

/** One address behind a Service. */
export interface Backend {
  key: string;
  address: string;
  kind: string;
  name: string;
  node: string;
  ready: boolean;
  word: string;
  tone: Tone;
  ports: string;
}

function wordOf({ ready = true, serving = ready, terminating = false }: NonNullable<Endpoint["conditions"]>) {
  if (terminating) return serving ? "Terminating, still serving" : "Terminating";
  return ready ? "Ready" : "Not ready";
}

/** The addresses in a Service's slices, those that are ready first. An unset `ready` counts as ready. */
export function backendsOf(slices: readonly EndpointSlice[]): Backend[] {
  const found = slices.flatMap((slice) => {
    const ports = (slice.ports ?? []).map(
      ({ name, port, protocol }) => `${name ? `${name} ` : ""}${port}/${protocol}`,
    );
    return (slice.endpoints ?? []).flatMap(({ addresses, conditions = {}, nodeName = "", targetRef }) =>
      addresses.map((address): Backend => {
        const ready = conditions.ready ?? true;
        const terminating = conditions.terminating === true;
        return {
          key: `${slice.metadata.uid} ${address}`,
          address,
          kind: targetRef?.kind ?? "",
          name: targetRef?.name ?? "",
          node: nodeName,
          ready,
          word: wordOf(conditions),
          tone: ready ? "ok" : terminating ? "change" : "trouble",
          ports: ports.join(", "),
        };
      }),
    );
  });
  return found.sort((a, b) => Number(b.ready) - Number(a.ready) || a.address.localeCompare(b.address));
}

/** A port of a Service as kubectl prints it, with its name before it. */
export function portText({ name, port, nodePort, protocol = "TCP" }: ServicePort): string {
  return `${name ? `${name} ` : ""}${port}${nodePort ? `:${nodePort}` : ""}/${protocol}`;
}

/** The name by which pods reach a Service. */
export function serviceDns({ metadata: { name, namespace = "" } }: Service): string {
  return `${name}.${namespace}.svc.cluster.local`;
}
