import "./copy-line.css";
import { copyText } from "./copy";
import { Icon } from "./icon";

interface CopyLineProps {
  /** The command, as it is typed. */
  readonly text: string;
  /** What it is, for a screen reader; "command" when nothing else is said. */
  readonly label?: string;
}

/** A command to copy: one line, shown whole when it wraps. */
export function CopyLine({ text, label = "command" }: CopyLineProps) {
  return (
    <span class="copy-line">
      <code class="copy-line__text">{text}</code>
      <button
        type="button"
        class="copy-line__button"
        aria-label={`Copy the ${label}`}
        title="Copy"
        onClick={() => void copyText(text)}
      >
        <Icon name="copy" />
      </button>
    </span>
  );
}
