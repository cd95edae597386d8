import { addressOf } from "../../app/match";
import { Link } from "../../app/link";
import { resources } from "../../app/resources";
import { listAt } from "../../kube/object";
import type { TabProps } from "../body";
import { Grid, ObjectLink, Section } from "../parts";

/** The details of a Namespace: where to find what is in it. */
export function NamespaceDetails({ object }: TabProps) {
  const name = object.metadata.name;
  const inside = resources.filter(({ namespaced, section }) => namespaced && section !== "");
  return (
    <Section title="What is in it">
      <ul class="labels">
        {inside.map((resource) => (
          <li key={resource.plural}>
            <Link to={addressOf(`/${resource.plural}`, { ns: name })}>{resource.title}</Link>
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** The details of a ServiceAccount. */
export function ServiceAccountDetails({ object }: TabProps) {
  const namespace = object.metadata.namespace ?? "";
  const secrets = listAt<{ name: string }>(object, "secrets");
  const pulls = listAt<{ name: string }>(object, "imagePullSecrets");
  const rows = [
    ...secrets.map((each) => ({ ...each, use: "token" })),
    ...pulls.map((each) => ({ ...each, use: "image pulls" })),
  ];
  return (
    <Section title="Secrets">
      <Grid
        label="Secrets"
        columns={["Name", "For"]}
        empty="None: pods get tokens that expire, from the API server."
        rows={rows.map(({ name, use }) => ({
          key: `${use} ${name}`,
          cells: [<ObjectLink kind="Secret" name={name} namespace={namespace} />, use],
        }))}
      />
    </Section>
  );
}
