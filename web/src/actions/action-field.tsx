import { Field } from "../components";
import type { FieldSpec } from "./contract";

interface ActionFieldProps {
  readonly field: FieldSpec;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** The control of one thing that an action asks for. */
export function ActionField({ field, value, onChange }: ActionFieldProps) {
  const id = `action-${field.name}`;
  return (
    <Field label={field.label} control={id} {...(field.hint ? { hint: field.hint } : {})}>
      <Control id={id} field={field} value={value} onChange={onChange} />
    </Field>
  );
}

function Control({ id, field, value, onChange }: ActionFieldProps & { readonly id: string }) {
  if (field.kind === "choice")
    return (
      <select id={id} class="input" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {(field.choices ?? []).map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.title}
          </option>
        ))}
      </select>
    );
  if (field.kind === "lines")
    return (
      <textarea
        id={id}
        class="input action__lines"
        rows={4}
        value={value}
        spellcheck={false}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    );
  const onInput = (event: { currentTarget: HTMLInputElement }) => onChange(event.currentTarget.value);
  if (field.kind === "number")
    return <input id={id} class="input" type="number" min={0} value={value} onInput={onInput} />;
  return (
    <input id={id} class="input" value={value} spellcheck={false} autocomplete="off" onInput={onInput} />
  );
}
