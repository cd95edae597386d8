import "./menu.css";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icon";

/** One line of a menu. */
export interface MenuItem {
  readonly id: string;
  readonly title: string;
  /** More about it, fainter. */
  readonly note?: string;
  readonly chosen?: boolean;
  readonly destructive?: boolean;
  readonly disabled?: boolean;
  readonly run: () => void;
}

interface MenuProps {
  /** What the button shows. */
  readonly children: ComponentChildren;
  /** What the menu is of: said by screen readers before what the button shows. */
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** Above the items, such as who is signed in. */
  readonly head?: ComponentChildren;
  readonly look?: "normal" | "plain";
  /** On which side of the button the menu begins. */
  readonly side?: "left" | "right";
  /** Offers a field that finds items by their titles; for long menus. */
  readonly search?: string;
}

/** A button that opens a menu. Arrow keys, Home, End and letters move; Escape closes. */
export function Menu({
  children,
  label,
  items,
  head,
  look = "normal",
  side = "left",
  search = "",
}: MenuProps) {
  const [open, setOpen] = useState(false);
  const [wanted, setWanted] = useState("");
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const shown = items.filter((item) => item.title.toLowerCase().includes(wanted.toLowerCase()));

  useEffect(() => {
    if (!open) return;
    setWanted("");
    const first = root.current?.querySelector<HTMLElement>(".menu__search, [aria-checked=true], .menu__item");
    first?.focus();
    const away = (event: Event) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      setOpen(true);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") {
      setOpen(false);
    } else if (root.current !== null && moveFocus(root.current, event.key)) {
      event.preventDefault();
    }
  };
  const run = (item: MenuItem) => {
    close();
    item.run();
  };

  return (
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        class={`button button--${look} menu__button`}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <span class="visually-hidden">{label} </span>
        {children}
      </button>
      {open && (
        <div class={`menu__sheet menu__sheet--${side}`}>
          {head !== undefined && <div class="menu__head">{head}</div>}
          {search !== "" && (
            <input
              class="input menu__search"
              type="search"
              placeholder={search}
              aria-label={search}
              value={wanted}
              onInput={(event) => setWanted(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter" && shown[0] !== undefined) run(shown[0]);
              }}
            />
          )}
          <ul class="menu__list" role="menu" aria-label={label}>
            {shown.map((item) => (
              <li key={item.id} role="none">
                <button
                  type="button"
                  role={item.chosen === undefined ? "menuitem" : "menuitemradio"}
                  aria-checked={item.chosen}
                  class={item.destructive === true ? "menu__item menu__item--destructive" : "menu__item"}
                  tabIndex={-1}
                  disabled={item.disabled}
                  onClick={() => run(item)}
                >
                  <span class="menu__check">{item.chosen === true && <Icon name="check" />}</span>
                  <span class="menu__title">{item.title}</span>
                  {item.note !== undefined && <span class="menu__note">{item.note}</span>}
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

/** Moves the focus among a menu's items; returns whether the key meant that. */
function moveFocus(root: HTMLElement, key: string): boolean {
  const items = [...root.querySelectorAll<HTMLElement>(".menu__search, .menu__item:not(:disabled)")];
  const at = items.findIndex((item) => item === document.activeElement);
  const steps: Readonly<Record<string, number>> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  let next = steps[key];
  if (next === undefined) {
    if (key.length !== 1 || document.activeElement instanceof HTMLInputElement) return false;
    next = items.findIndex((item) => item.textContent.trim().toLowerCase().startsWith(key.toLowerCase()));
    if (next < 0) return false;
  } else if (document.activeElement instanceof HTMLInputElement && (key === "Home" || key === "End")) {
    return false;
  }
  items.at(next % items.length)?.focus();
  return true;
}
