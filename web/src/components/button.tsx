import "./button.css";
import type { ComponentChildren, MouseEventHandler } from "preact";

/** A button's looks and what it does. */
export interface ButtonProps {
  readonly children: ComponentChildren;
  /** `main`: the one thing to do here. `danger`: something is lost by it. `plain`: without a border. */
  readonly look?: "main" | "normal" | "plain" | "danger";
  readonly disabled?: boolean;
  /** Whether it is under way: it cannot be pressed again. */
  readonly busy?: boolean;
  readonly title?: string;
  /** What a screen reader says before what the button shows, where that is no words. */
  readonly label?: string;
  readonly pressed?: boolean;
  readonly type?: "button" | "submit";
  readonly onClick?: MouseEventHandler<HTMLButtonElement>;
}

/** A button. */
export function Button(props: ButtonProps) {
  const { children, look = "normal", disabled = false, busy = false, type = "button" } = props;
  return (
    <button
      type={type}
      class={`button button--${look}`}
      disabled={disabled || busy}
      aria-busy={busy}
      aria-pressed={props.pressed}
      title={props.title}
      onClick={props.onClick}
    >
      {props.label !== undefined && <span class="visually-hidden">{props.label} </span>}
      {children}
    </button>
  );
}
