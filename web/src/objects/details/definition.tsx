import { Link } from "../../app/link";
import { listPath } from "../../app/resources";
import { at, listAt, textAt } from "../../kube/object";
import type { TabProps } from "../body";
import { Facts, Grid, Section } from "../parts";

interface Version {
  readonly name: string;
  readonly served?: boolean;
  readonly storage?: boolean;
  readonly deprecated?: boolean;
  readonly additionalPrinterColumns?: readonly { readonly name: string }[];
}

/** The details of a CustomResourceDefinition. */
export function DefinitionDetails({ object }: TabProps) {
  const [group, plural] = [textAt(object, "spec", "group"), textAt(object, "spec", "names", "plural")];
  const versions = listAt<Version>(object, "spec", "versions");
  const served = versions.find((each) => each.served === true && each.storage === true) ?? versions[0];
  return (
    <Section title="Resource">
      <Facts
        facts={[
          ["Kind", textAt(object, "spec", "names", "kind")],
          [
            "Objects",
            served && <Link to={listPath({ group, version: served.name, plural })}>All {plural}</Link>,
          ],
          ["Group", group],
          ["Scope", textAt(object, "spec", "scope")],
          ["Short names", listAt<string>(object, "spec", "names", "shortNames").join(", ")],
          ["Conversion", textAt(object, "spec", "conversion", "strategy")],
        ]}
      />
      <Grid
        label="Versions"
        columns={["Version", "Served", "Stored", "Columns", "Subresources"]}
        rows={versions.map((version) => ({
          key: version.name,
          cells: [
            version.name + (version.deprecated === true ? " (deprecated)" : ""),
            version.served === true ? "yes" : "no",
            version.storage === true ? "yes" : "no",
            (version.additionalPrinterColumns ?? []).map(({ name }) => name).join(", "),
            Object.keys((at(version, "subresources") as object | undefined) ?? {}).join(", "),
          ],
        }))}
      />
    </Section>
  );
}
