import "./bar.css";

interface BarProps {
  /** How much, of `total`. */
  readonly value: number;
  readonly total: number;
  readonly label: string;
  readonly tone?: "plain" | "change" | "trouble";
}

/** A share as a bar, with its words beside it. */
export function Bar({ value, total, label, tone = "plain" }: BarProps) {
  const part = total > 0 ? Math.min(value / total, 1) : 0;
  return (
    <span class="bar">
      <span class="bar__track" aria-hidden="true">
        <span class={`bar__fill bar__fill--${tone}`} style={{ width: `${part * 100}%` }} />
      </span>
      <span class="bar__label">{label}</span>
    </span>
  );
}
