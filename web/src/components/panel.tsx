import "./panel.css";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icon";

interface PanelProps {
  readonly title: ComponentChildren;
  /** Named for screen readers where the title is not a text. */
  readonly label: string;
  readonly onClose: () => void;
  /** What stands at the panel's end: the buttons. */
  readonly foot?: ComponentChildren;
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

/** What opens beside a list or a page and leaves it in use: editing, scaling, logs. Escape closes it. */
export function Panel({ title, label, onClose, foot, wide = false, children }: PanelProps) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const close = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.stopPropagation();
    onClose();
  };
  return (
    <aside
      ref={panel}
      class={wide ? "panel panel--wide" : "panel"}
      aria-label={label}
      tabIndex={-1}
      onKeyDown={close}
    >
      <header class="panel__head">
        <h2>{title}</h2>
        <button type="button" class="panel__close" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="panel__body">{children}</div>
      {foot !== undefined && <footer class="panel__foot">{foot}</footer>}
    </aside>
  );
}
