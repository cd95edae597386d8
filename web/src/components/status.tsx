import "./status.css";
import type { Tone } from "../live/protocol";

interface StatusProps {
  readonly tone: Tone;
  /** Kubernetes' own word, with its reason. */
  readonly children?: string;
}

/** A status: a word, and a mark before it whose shape and colour repeat its tone. */
export function Status({ tone, children = "" }: StatusProps) {
  return (
    <span class={`status status--${tone}`}>
      <svg class="status__mark" viewBox="0 0 10 10" aria-hidden="true">
        {tone === "ok" && <circle cx="5" cy="5" r="3" />}
        {tone === "idle" && <circle class="status__ring" cx="5" cy="5" r="3" />}
        {tone === "change" && <circle class="status__outline" cx="5" cy="5" r="4" />}
        {tone === "change" && <path class="status__half" d="M5 1a4 4 0 0 0 0 8z" />}
        {tone === "trouble" && <path d="M5 .4L9.6 5 5 9.6.4 5z" />}
      </svg>
      {children !== "" && <span class="status__word">{children}</span>}
    </span>
  );
}
