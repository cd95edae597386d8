/** Names of keys, and which keys were meant. Pure. */

/** What of a keyboard event is looked at. */
export interface Pressed {
  readonly key: string;
  readonly metaKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
}

/** The name of what was pressed: `j`, `?`, `ArrowDown`, `mod+k` (Command on a Mac, Ctrl elsewhere). */
export function keyText({ key, metaKey, ctrlKey, altKey }: Pressed): string {
  const named = key.length === 1 && (metaKey || ctrlKey || altKey) ? key.toLowerCase() : key;
  if (metaKey || ctrlKey) return `mod+${named}`;
  return altKey ? `alt+${named}` : named;
}

const signs: Readonly<Record<string, string>> = {
  ArrowDown: "↓",
  ArrowUp: "↑",
  Enter: "↵",
  Escape: "Esc",
  " ": "Space",
};

/** The keys of a binding such as `mod+k` or `g p` as they are shown. */
export function keySigns(keys: string, mac: boolean): readonly string[] {
  return keys
    .split(/(?<=.)[ +](?=.)/)
    .map((key) => (key === "mod" ? (mac ? "⌘" : "Ctrl") : (signs[key] ?? key)));
}
