import "./labels.css";

/** Labels or a selector as `key=value`, each on its own. */
export function Labels({ of }: { readonly of: Readonly<Record<string, string>> | undefined }) {
  const entries = Object.entries(of ?? {});
  if (entries.length === 0) return <span class="labels__none">none</span>;
  return (
    <ul class="labels">
      {entries.map(([key, value]) => (
        <li key={key} class="labels__label">
          {key}
          {value !== "" && <span class="labels__value">={value}</span>}
        </li>
      ))}
    </ul>
  );
}

/** Annotations: key and whole value, one under the other; what kubectl keeps for itself is folded. */
export function Annotations({ of }: { readonly of: Readonly<Record<string, string>> | undefined }) {
  const entries = Object.entries(of ?? {});
  if (entries.length === 0) return <span class="labels__none">none</span>;
  return (
    <ul class="labels labels--annotations">
      {entries.map(([key, value]) => (
        <li key={key}>
          {value.length > 120 ? (
            <details>
              <summary>{key}</summary>
              <code>{value}</code>
            </details>
          ) : (
            <>
              {key} <code>{value}</code>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}
