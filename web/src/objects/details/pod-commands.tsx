import { CopyLine } from "../../components";
import { kubectl } from "../../kube/kubectl";
import type { Pod } from "../../kube/kinds";
import { resourceOf } from "../../kube/resources";
import { Facts, Section } from "../parts";

/** The commands by which a person reaches into a pod from a terminal of their own. */
export function PodCommands({ pod }: { readonly pod: Pod }) {
  const { name, namespace = "" } = pod.metadata;
  const target = { resource: resourceOf(pod), namespace, name };
  const [first] = pod.spec.containers;
  const only = pod.spec.containers.length === 1 ? first : undefined;
  const ports = pod.spec.containers
    .flatMap((each) => each.ports ?? [])
    .filter(({ protocol = "TCP" }) => protocol === "TCP");
  return (
    <Section title="From a terminal">
      <Facts
        wide
        facts={[
          [
            "Logs",
            <CopyLine
              text={kubectl.logs(target, { follow: true, ...(only ? { container: only.name } : {}) })}
              label="command for logs"
            />,
          ],
          [
            "Shell",
            <CopyLine text={kubectl.exec(target, first?.name ?? "", ["sh"])} label="command for a shell" />,
          ],
          ["Attach", <CopyLine text={kubectl.attach(target, first?.name ?? "")} label="command to attach" />],
          ...ports.map(({ containerPort }): [string, preact.ComponentChild] => [
            `Port ${containerPort}`,
            <CopyLine
              text={kubectl.portForward(target, local(containerPort), containerPort)}
              label="port-forward"
            />,
          ]),
        ]}
      />
    </Section>
  );
}

/** A port of this machine that needs no rights. */
function local(port: number): number {
  return port < 1024 ? port + 8000 : port;
}
