import "./section.css";
import type { ComponentChildren } from "preact";
import type { DataState } from "../live/protocol";

interface SectionProps {
  readonly title: string;
  /** More about it, beside the title. */
  readonly note?: ComponentChildren;
  /** Links and buttons, at the end of the title's line. */
  readonly tools?: ComponentChildren;
  readonly state?: DataState;
  readonly children: ComponentChildren;
}

/** A titled part of a page. */
export function Section({ title, note, tools, state = "live", children }: SectionProps) {
  return (
    <section class={state === "stale" ? "section stale-edge" : "section"} aria-label={title}>
      <header class="section__head">
        <h2>{title}</h2>
        {note !== undefined && <span class="section__note">{note}</span>}
        {tools !== undefined && <span class="section__tools">{tools}</span>}
      </header>
      {children}
    </section>
  );
}
