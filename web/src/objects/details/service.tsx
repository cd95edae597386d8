import { Status, CopyLine } from "../../components";
import { backendsOf, portText, serviceDns } from "../../kube/backends";
import { kubectl } from "../../kube/kubectl";
import type { EndpointSlice, Service } from "../../kube/kinds";
import { ruleOf } from "../../kube/rules";
import { useObjects } from "../../live";
import type { TabProps } from "../body";
import { Facts, Grid, Labels, ObjectLink, RuleHint, Section } from "../parts";
import { PodTable } from "./pod-table";

/** The details of a Service: who answers behind it, and whether they are ready. */
export function ServiceDetails({ object, resource }: TabProps) {
  const service = object as Service;
  const { spec } = service;
  const { name, namespace = "" } = service.metadata;
  const ingress = (service.status?.loadBalancer?.ingress ?? [])
    .map(({ ip, hostname }) => ip ?? hostname)
    .join(", ");
  const [first] = spec.ports ?? [];
  const target = { resource, namespace, name };
  return (
    <>
      <Backends service={service} />
      <Section title="Service">
        <Facts
          facts={[
            ["Type", spec.type ?? "ClusterIP"],
            ["Cluster IP", spec.clusterIPs?.join(", ") ?? spec.clusterIP ?? ""],
            ["DNS name", serviceDns(service)],
            ["External IP", ingress || (spec.type === "LoadBalancer" ? "pending" : "")],
            ["External name", spec.externalName ?? ""],
            [
              "Selector",
              spec.selector ? (
                <Labels of={spec.selector} />
              ) : (
                "none: its endpoints are written by somebody else"
              ),
            ],
            ["Session affinity", spec.sessionAffinity === "None" ? "" : (spec.sessionAffinity ?? "")],
            ["External traffic", spec.externalTrafficPolicy ?? ""],
            ["Not-ready addresses", spec.publishNotReadyAddresses ? "published too" : ""],
          ]}
        />
        <Grid
          label="Ports"
          columns={["Port", "Target", "Node port"]}
          rows={(spec.ports ?? []).map((port) => ({
            key: `${port.name ?? ""}${port.port}${port.protocol ?? ""}`,
            cells: [portText(port), String(port.targetPort ?? port.port), port.nodePort ?? ""],
          }))}
          empty="It has no ports."
        />
        {first && (
          <CopyLine
            text={kubectl.portForward(target, first.port < 1024 ? first.port + 8000 : first.port, first.port)}
          />
        )}
      </Section>
      {spec.selector && (
        <PodTable selector={{ matchLabels: spec.selector }} namespace={namespace} title="Selected pods" />
      )}
    </>
  );
}

function Backends({ service }: { readonly service: Service }) {
  const { name, namespace = "" } = service.metadata;
  const resource = { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" };
  const labels = `kubernetes.io/service-name=${name}`;
  const view = useObjects({ resource, namespace, labels, fields: "" }).value;
  const slices = [...view.objects.values()] as EndpointSlice[];
  const backends = backendsOf(
    slices.filter((each) => each.metadata.labels?.["kubernetes.io/service-name"] === name),
  );
  const ready = backends.filter((each) => each.ready).length;
  const rule = ruleOf("endpointslice", "EndpointSlice");
  const trouble = ready === 0 && view.state !== "loading";
  return (
    <Section title="Backends" aside={rule && <RuleHint rule={rule} />}>
      <p>
        <Status tone={trouble ? "trouble" : ready < backends.length ? "change" : "ok"}>
          {trouble
            ? "No backend is ready: connections are refused"
            : `${ready} of ${backends.length} ${backends.length === 1 ? "backend is" : "backends are"} ready`}
        </Status>
      </p>
      <BackendTable backends={backends} namespace={namespace} />
    </Section>
  );
}

function BackendTable({
  backends,
  namespace,
}: {
  readonly backends: ReturnType<typeof backendsOf>;
  readonly namespace: string;
}) {
  return (
    <Grid
      label="Backends"
      columns={["Address", "Pod", "Node", "State", "Ports"]}
      empty="There are none."
      rows={backends.map((each) => ({
        key: each.key,
        cells: [
          each.address,
          each.kind && each.name ? (
            <ObjectLink kind={each.kind} name={each.name} namespace={namespace} />
          ) : (
            ""
          ),
          each.node ? <ObjectLink kind="Node" name={each.node} /> : "",
          <Status tone={each.tone}>{each.word}</Status>,
          each.ports,
        ],
      }))}
    />
  );
}

/** The details of an EndpointSlice. */
export function SliceDetails({ object }: TabProps) {
  const slice = object as EndpointSlice;
  const service = slice.metadata.labels?.["kubernetes.io/service-name"];
  const namespace = slice.metadata.namespace ?? "";
  return (
    <Section title="Endpoints">
      <Facts
        facts={[
          ["Service", service ? <ObjectLink kind="Service" name={service} namespace={namespace} /> : "none"],
          ["Address type", slice.addressType ?? ""],
        ]}
      />
      <BackendTable backends={backendsOf([slice])} namespace={namespace} />
    </Section>
  );
}
