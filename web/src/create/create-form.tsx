import { Field } from "../components";
import type { Form, FormField, FormValues } from "./forms";

interface CreateFormProps {
  readonly form: Form;
  readonly values: FormValues;
  readonly onChange: (values: FormValues) => void;
}

/** The form of a kind: what is filled in stands in the YAML beside it, and the other way round. */
export function CreateForm({ form, values, onChange }: CreateFormProps) {
  return (
    <form class="create__form" aria-label={form.kind} onSubmit={(event) => event.preventDefault()}>
      {form.fields.map((field) => (
        <Field
          key={field.name}
          label={field.label}
          control={`create-${field.name}`}
          {...(field.hint ? { hint: field.hint } : {})}
        >
          <Control
            field={field}
            value={values[field.name] ?? ""}
            onChange={(value) => onChange({ ...values, [field.name]: value })}
          />
        </Field>
      ))}
    </form>
  );
}

interface ControlProps {
  readonly field: FormField;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Control({ field: { name, kind, choices = [] }, value, onChange }: ControlProps) {
  const id = `create-${name}`;
  if (kind === "choice")
    return (
      <select id={id} class="input" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    );
  const change = (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
    onChange(event.currentTarget.value);
  // Told when the person leaves it: a half-typed line is not yet what they mean.
  if (kind === "lines")
    return <textarea id={id} class="input" rows={4} value={value} spellcheck={false} onChange={change} />;
  if (kind === "number")
    return <input id={id} class="input" type="number" min={0} value={value} onInput={change} />;
  return <input id={id} class="input" value={value} spellcheck={false} autocomplete="off" onInput={change} />;
}
