import "./key-hint.css";

/** Keys as they are pressed, such as `⌘K`; one text for each key. */
export function KeyHint({ keys }: { readonly keys: readonly string[] }) {
  return (
    <span class="key-hint" aria-hidden="true">
      {keys.map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </span>
  );
}
