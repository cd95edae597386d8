import { useState } from "preact/hooks";
import { Section } from "../overview/section";
import { groupedFlags } from "./flag-groups";
import { useFlags } from "./use-flags";

/** The flags by component: value here, default, and what each decides. */
export function FlagsSection() {
  const flags = useFlags();
  const [search, setSearch] = useState("");
  if (flags.length === 0) return null;
  return (
    <Section
      title="Flags"
      note="as `homeostat up --set COMPONENT.FLAG=VALUE` takes them"
      tools={
        <input
          class="input"
          type="search"
          placeholder="Find a flag"
          aria-label="Find a flag"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      }
    >
      {groupedFlags(flags, search).map(([component, these]) => (
        <table key={component} class="plain-table settings__flags">
          <caption class="settings__component">{component}</caption>
          <tbody>
            {these.map((flag) => (
              <tr key={flag.name}>
                <td class="settings__flag-name">
                  <code>{flag.name}</code>
                </td>
                <td class="settings__flag-value">
                  <code>{flag.value === "" ? "–" : flag.value}</code>
                  {flag.set && flag.value !== flag.default && (
                    <span class="settings__quiet">
                      {" "}
                      (default {flag.default === "" ? "none" : flag.default})
                    </span>
                  )}
                </td>
                <td class="plain-table__quiet">{flag.doc}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </Section>
  );
}
