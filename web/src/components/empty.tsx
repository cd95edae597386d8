import "./empty.css";
import type { ComponentChildren } from "preact";

interface EmptyProps {
  readonly title: string;
  /** Why there is nothing, and what a person can do. */
  readonly children?: ComponentChildren;
}

/** Says that there is nothing to show, and why. */
export function Empty({ title, children }: EmptyProps) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      <div class="empty__why">{children}</div>
    </div>
  );
}
