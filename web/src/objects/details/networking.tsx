import { peersText, policyPorts, type PolicyPeer, type PolicyPort } from "../../kube/network-policy";
import { at, listAt, textAt } from "../../kube/object";
import { selectorText, type LabelSelector } from "../../kube/selectors";
import type { TabProps } from "../body";
import { Facts, Grid, ObjectLink, Section } from "../parts";
import { PodTable } from "./pod-table";

interface IngressPath {
  readonly path?: string;
  readonly pathType?: string;
  readonly backend?: {
    readonly service?: {
      readonly name: string;
      readonly port?: { readonly number?: number; readonly name?: string };
    };
  };
}

/** The details of an Ingress: which host and path leads to which Service. */
export function IngressDetails({ object }: TabProps) {
  const namespace = object.metadata.namespace ?? "";
  const rules = listAt<{ host?: string; http?: { paths?: IngressPath[] } }>(object, "spec", "rules");
  const rows = rules.flatMap(({ host = "any host", http }) =>
    (http?.paths ?? []).map(({ path = "/", pathType = "", backend }) => {
      const service = backend?.service;
      return {
        key: `${host} ${path}`,
        cells: [
          host,
          path,
          pathType,
          service ? <ObjectLink kind="Service" name={service.name} namespace={namespace} /> : "",
          String(service?.port?.number ?? service?.port?.name ?? ""),
        ],
      };
    }),
  );
  const addresses = listAt<{ ip?: string; hostname?: string }>(object, "status", "loadBalancer", "ingress");
  return (
    <Section title="Routes">
      <Facts
        facts={[
          ["Class", textAt(object, "spec", "ingressClassName") || "the default"],
          ["Address", addresses.map(({ ip, hostname }) => ip ?? hostname).join(", ") || "none yet"],
        ]}
      />
      <Grid label="Routes" columns={["Host", "Path", "Match", "Service", "Port"]} rows={rows} />
    </Section>
  );
}

interface PolicyRule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly PolicyPort[];
}

/** The details of a NetworkPolicy: who may connect to its pods, and where they may connect to. */
export function NetworkPolicyDetails({ object }: TabProps) {
  const selector = at(object, "spec", "podSelector") as LabelSelector | undefined;
  const types = listAt<string>(object, "spec", "policyTypes");
  return (
    <>
      <Section title="Policy">
        <Facts
          facts={[
            ["Pods", selectorText(selector) || "all of the namespace"],
            ["Governs", types.join(", ")],
          ]}
        />
        {types.includes("Ingress") && (
          <Rules title="May connect to them" rules={listAt(object, "spec", "ingress")} />
        )}
        {types.includes("Egress") && (
          <Rules title="They may connect to" rules={listAt(object, "spec", "egress")} />
        )}
      </Section>
      <PodTable selector={selector} namespace={object.metadata.namespace ?? ""} title="Its pods" />
    </>
  );
}

function Rules({ title, rules }: { readonly title: string; readonly rules: readonly PolicyRule[] }) {
  const rows = rules.map((rule, index) => ({
    key: String(index),
    cells: [peersText(rule.from ?? rule.to), policyPorts(rule.ports)],
  }));
  return <Grid label={title} columns={[title, "Ports"]} rows={rows} empty={`${title}: nobody.`} />;
}
