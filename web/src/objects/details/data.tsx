import { useEffect, useState } from "preact/hooks";
import { statusOfError } from "../../actions/perform";
import { Button, ErrorNotice } from "../../components";
import { decoded, keysOf } from "../../kube/data";
import type { DataObject } from "../../kube/kinds";
import { objectPath } from "../../kube/resources";
import { bytes } from "../../kube/quantities";
import { type KubeStatus, request } from "../../live";
import type { TabProps } from "../body";
import { Facts, Section } from "../parts";

/** How long a revealed value stays: long enough to read it, not to forget it on the screen. */
const REVEALED_SECONDS = 30;

/** The details of a ConfigMap or a Secret; a Secret's values show on request, one at a time. */
export function DataDetails({ object }: TabProps) {
  const data = object as DataObject;
  const secret = object.kind === "Secret";
  const keys = keysOf(data);
  return (
    <Section title="Data" aside={`${keys.length} ${keys.length === 1 ? "key" : "keys"}`}>
      <Facts
        facts={[
          ["Type", data.type ?? ""],
          ["Immutable", data.immutable === true ? "yes" : ""],
        ]}
      />
      {keys.length === 0 && <p>It holds nothing.</p>}
      {keys.map(({ key, length, value }) => (
        <div key={key} class="data">
          <h3>
            {key} <span class="container__quiet">{length === undefined ? "" : bytes(length)}</span>
          </h3>
          {secret ? <Revealed object={data} name={key} /> : <pre class="data__value">{value}</pre>}
        </div>
      ))}
    </Section>
  );
}

function Revealed({ object, name }: { readonly object: DataObject; readonly name: string }) {
  const [value, setValue] = useState<string | null>(null);
  const [failure, setFailure] = useState<KubeStatus | null>(null);
  useEffect(() => {
    if (value === null) return;
    const timer = setTimeout(() => setValue(null), REVEALED_SECONDS * 1000);
    return () => clearTimeout(timer);
  }, [value]);
  const reveal = async () => {
    try {
      const found = await request<DataObject>("GET", objectPath(object));
      setFailure(null);
      setValue(decoded(String(found.data?.[name] ?? "")));
    } catch (error) {
      setFailure(statusOfError(error));
    }
  };
  if (failure !== null) return <ErrorNotice status={failure} />;
  if (value === null)
    return (
      <Button look="plain" label={`Reveal ${name}`} onClick={() => void reveal()}>
        Reveal
      </Button>
    );
  return (
    <>
      <pre class="data__value">{value}</pre>
      <Button look="plain" onClick={() => setValue(null)}>
        Hide (by itself after {REVEALED_SECONDS} s)
      </Button>
    </>
  );
}
