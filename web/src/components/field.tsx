import "./field.css";
import type { ComponentChildren } from "preact";

interface FieldProps {
  readonly label: string;
  /** The id of the control, which is the field's child. */
  readonly control: string;
  readonly hint?: ComponentChildren;
  /** What is wrong with the value, said to the person who typed it. */
  readonly problem?: string;
  readonly children: ComponentChildren;
}

/** A labelled control of a form; inputs, selects and text areas in it have one look. */
export function Field({ label, control, hint, problem = "", children }: FieldProps) {
  return (
    <div class={problem === "" ? "field" : "field field--wrong"}>
      <label class="field__label" for={control}>
        {label}
      </label>
      {children}
      {problem !== "" && (
        <p class="field__problem" role="alert">
          {problem}
        </p>
      )}
      {hint !== undefined && <p class="field__hint">{hint}</p>}
    </div>
  );
}
