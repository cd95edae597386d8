/** The keyboard: pages say which keys they know, and one place listens. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { keyText } from "./key-text";

/** One thing that keys do. */
export interface KeyBinding {
  /** Such as `j`, `mod+k`, or two after each other: `g p`. */
  readonly keys: string;
  /** What they do, for the help. */
  readonly title: string;
  /** Whether they do it while a person types into a field too. */
  readonly whileTyping?: boolean;
  readonly run: (event: KeyboardEvent) => void;
}

/** What the keys of one part of the page do. */
export interface KeyGroup {
  readonly title: string;
  readonly bindings: () => readonly KeyBinding[];
}

/** The groups that are there now, the newest last. */
export const keyGroups = signal<readonly KeyGroup[]>([]);

/** Whether a Mac's signs are shown. */
export const isMac = navigator.userAgent.includes("Mac OS");

const sequenceMsMax = 1000;
let pending = "";
let pendingUntilMs = 0;

/** Lets keys do something while the component is there. */
export function useKeys(title: string, bindings: readonly KeyBinding[]): void {
  const current = useRef(bindings);
  current.current = bindings;
  useEffect(() => {
    const group: KeyGroup = { title, bindings: () => current.current };
    keyGroups.value = [...keyGroups.peek(), group];
    return () => {
      keyGroups.value = keyGroups.peek().filter((each) => each !== group);
    };
  }, [title]);
}

/** Begins to listen; called once by the page. */
export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || isModal(event.target)) return;
    const text = keyText(event);
    const after = Date.now() < pendingUntilMs ? `${pending} ${text}` : "";
    pending = "";
    const typing = isTyping(event.target);
    const all = keyGroups
      .peek()
      .toReversed()
      .flatMap((group) => group.bindings());
    const known = all.filter((binding) => !typing || binding.whileTyping === true);
    const found =
      known.find((binding) => binding.keys === after) ?? known.find((binding) => binding.keys === text);
    if (found !== undefined) {
      event.preventDefault();
      found.run(event);
    } else if (known.some((binding) => binding.keys.startsWith(`${text} `))) {
      pending = text;
      pendingUntilMs = Date.now() + sequenceMsMax;
    }
  });
}

/** Whether keys go into a text. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== "checkbox" && target.type !== "radio";
  return target.isContentEditable || target.matches("textarea, select, .cm-editor *, .xterm *");
}

function isModal(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("dialog[open], [role=menu]") !== null;
}
