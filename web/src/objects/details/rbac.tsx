import type { PolicyRule } from "../../kube/kinds";
import { listAt, textAt } from "../../kube/object";
import type { TabProps } from "../body";
import { Facts, Grid, ObjectLink, Section } from "../parts";

const all = (values: readonly string[] | undefined) =>
  (values ?? []).map((each) => (each === "*" ? "all" : each || "core")).join(", ");

function ruleRow(rule: PolicyRule, index: number) {
  const what = rule.nonResourceURLs ? all(rule.nonResourceURLs) : all(rule.resources);
  const group = rule.nonResourceURLs ? "paths" : all(rule.apiGroups);
  return {
    key: String(index),
    cells: [what, group, all(rule.verbs), rule.resourceNames?.join(", ") ?? "any"],
  };
}

/** The details of a Role or ClusterRole: what it allows. */
export function RoleDetails({ object }: TabProps) {
  const rules = listAt<PolicyRule>(object, "rules");
  return (
    <Section title="Rules" aside={rules.length}>
      <Grid
        label="Rules"
        columns={["Resources", "Groups", "Verbs", "Names"]}
        rows={rules.map(ruleRow)}
        empty="It allows nothing."
      />
    </Section>
  );
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** The details of a RoleBinding or ClusterRoleBinding: who has which role. */
export function BindingDetails({ object }: TabProps) {
  const [kind, name] = [textAt(object, "roleRef", "kind"), textAt(object, "roleRef", "name")];
  const namespace = object.metadata.namespace ?? "";
  const subjects = listAt<Subject>(object, "subjects");
  return (
    <Section title="Who may">
      <Facts
        facts={[
          [
            "Role",
            <ObjectLink
              apiVersion="rbac.authorization.k8s.io/v1"
              kind={kind}
              name={name}
              namespace={namespace}
              withKind
            />,
          ],
          ["Where", namespace ? `in the namespace ${namespace}` : "in the whole cluster"],
        ]}
      />
      <Grid
        label="Subjects"
        columns={["Kind", "Name", "Namespace"]}
        empty="Nobody."
        rows={subjects.map((subject) => ({
          key: `${subject.kind} ${subject.namespace ?? ""}/${subject.name}`,
          cells: [
            subject.kind,
            subject.kind === "ServiceAccount" ? <ObjectLink {...subject} /> : subject.name,
            subject.namespace ?? "",
          ],
        }))}
      />
    </Section>
  );
}
