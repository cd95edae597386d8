import { signal } from "@preact/signals";

/** What is open above the page: the command palette, the keys, or nothing. */
export const overlay = signal<"palette" | "keys" | null>(null);

/** Opens the command palette. */
export function openPalette(): void {
  overlay.value = "palette";
}

/** Shows what keys do. */
export function openHelp(): void {
  overlay.value = "keys";
}

/** Closes what is open above the page. */
export function closeOverlay(): void {
  overlay.value = null;
}
