import { signal } from "@preact/signals";

/** What is open above the page: the command palette, the keys, or nothing. */
export const overlay = signal<"palette" | "keys" | null>(null);

let focusedBefore: Element | null = null;

/** Opens the command palette. */
export function openPalette(): void {
  open("palette");
}

/** Shows what keys do. */
export function openHelp(): void {
  open("keys");
}

function open(what: "palette" | "keys"): void {
  if (overlay.value === null) {
    focusedBefore = document.activeElement;
    // From now on nothing that is typed is meant for the page below.
    if (focusedBefore instanceof HTMLElement) focusedBefore.blur();
  }
  overlay.value = what;
}

/** Closes what is open above the page; the focus returns to where it was. */
export function closeOverlay(): void {
  overlay.value = null;
  if (focusedBefore instanceof HTMLElement && focusedBefore.isConnected) focusedBefore.focus();
}
