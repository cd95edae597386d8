import type { ComponentChildren } from "preact";
import { go } from "./router";

interface LinkProps {
  /** An address of this page. */
  readonly to: string;
  readonly class?: string;
  readonly title?: string;
  readonly current?: boolean;
  readonly children: ComponentChildren;
}

/** Goes to another page without loading anything anew; with a modifier key the browser opens a tab, as ever. */
export function Link({ to, children, current = false, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} onClick={follow} aria-current={current ? "page" : undefined} {...rest}>
      {children}
    </a>
  );
}
