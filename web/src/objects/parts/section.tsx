import "./section.css";
import type { ComponentChildren } from "preact";

interface SectionProps {
  readonly title: string;
  /** What stands at the right of the title: a count, a button. */
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** One part of an object's details, under its title. */
export function Section({ title, aside, children }: SectionProps) {
  return (
    <section class="section">
      <header class="section__head">
        <h2>{title}</h2>
        {aside !== undefined && <div class="section__aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}
