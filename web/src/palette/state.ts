import { signal } from "@preact/signals";

/** Whether the command palette is open. */
export const paletteOpen = signal(false);

/** Opens the command palette. */
export function openPalette(): void {
  paletteOpen.value = true;
}

/** Closes the command palette. */
export function closePalette(): void {
  paletteOpen.value = false;
}
