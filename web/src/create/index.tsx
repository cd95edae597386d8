import "./create.css";
import { useState } from "preact/hooks";
import { namespace as chosenNamespace } from "../app/namespace";
import { queryParameter, setQuery } from "../app/router";
import { Button, CopyLine } from "../components";
import { kubectl } from "../kube/kubectl";
import { YamlEditor } from "../objects/yaml/yaml-editor";
import { CreateForm } from "./create-form";
import { appended, partsOf, toDocuments } from "./documents";
import { applied } from "./form-merge";
import { formOf, FORMS, type FormValues } from "./forms";
import { Results } from "./results";
import { type Result, sendAll } from "./send";

const kind = queryParameter("kind");

/** Creates objects: from YAML of several documents, from files, or by a form that is equal to the YAML beside it. */
export default function CreatePage() {
  const form = formOf(kind.value);
  const [text, setText] = useState(() => start(kind.value));
  const [results, setResults] = useState<readonly Result[]>([]);
  const [busy, setBusy] = useState(false);
  const [apply, setApply] = useState(false);
  const [over, setOver] = useState(false);
  const parts = partsOf(text);
  const ready = parts.length > 0 && parts.every(({ problem }) => problem === "");
  const first = parts.find(({ value }) => value.kind === form?.kind);
  const values: FormValues = form && first ? form.fromObject(first.value) : {};
  const change = (changed: FormValues) => {
    if (!form) return;
    const object = applied(form, changed, first?.value);
    setText(toDocuments(first ? parts.map((part) => (part === first ? object : part.value)) : [object]));
  };
  const choose = (name: string) => {
    setQuery({ kind: name });
    setResults([]);
    if (formOf(name) && !parts.some(({ value }) => value.kind === name)) setText(start(name));
  };
  const send = async (dryRun: boolean) => {
    setBusy(true);
    setResults(await sendAll(parts, { dryRun, apply, namespace: chosenNamespace.value }));
    setDry(dryRun);
    setBusy(false);
  };
  const [dry, setDry] = useState(false);
  const take = async (files: FileList | null) => {
    const texts = await Promise.all([...(files ?? [])].map((file) => file.text()));
    setText(texts.reduce(appended, text));
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer?.files ?? null);
  };
  const command = (form?.command(values) ?? "") || (apply ? kubectl.apply() : kubectl.create());
  return (
    <div
      class={over ? "create create--over" : "create"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <header class="create__head">
        <div class="create__kinds" role="group" aria-label="What to create">
          {["", ...FORMS.map((each) => each.kind)].map((name) => (
            <Button key={name} look="plain" pressed={name === kind.value} onClick={() => choose(name)}>
              {name || "YAML"}
            </Button>
          ))}
        </div>
        <label class="create__file button button--normal">
          Open files
          <input
            type="file"
            multiple
            accept=".yaml,.yml,.json"
            class="visually-hidden"
            onChange={(event) => void take(event.currentTarget.files)}
          />
        </label>
      </header>
      <div class="create__middle">
        {form && <CreateForm form={form} values={values} onChange={change} />}
        <div class="create__yaml">
          <YamlEditor text={text} label="YAML to create" onChange={setText} />
        </div>
      </div>
      <Results results={results} dryRun={dry} />
      <footer class="create__foot">
        <CopyLine text={command} label="kubectl command" />
        <label class="create__apply">
          <input
            type="checkbox"
            checked={apply}
            onChange={(event) => setApply(event.currentTarget.checked)}
          />{" "}
          Change what exists
        </label>
        <Button disabled={!ready} busy={busy} onClick={() => void send(true)}>
          Dry run
        </Button>
        <Button look="main" disabled={!ready} busy={busy} onClick={() => void send(false)}>
          {apply ? "Apply" : "Create"} {parts.length > 1 ? `${parts.length} objects` : ""}
        </Button>
      </footer>
    </div>
  );
}

function start(name: string): string {
  const form = formOf(name);
  if (!form) return "";
  const namespace = chosenNamespace.peek() || form.empty.namespace || "default";
  return toDocuments([form.toObject({ ...form.empty, namespace })]);
}
