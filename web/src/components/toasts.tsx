import "./toasts.css";
import { signal } from "@preact/signals";
import type { Tone } from "../live/protocol";
import { Icon } from "./icon";
import { Status } from "./status";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: Tone;
  readonly action: ToastAction | null;
}

/** What a person can do about a message, such as undo. */
export interface ToastAction {
  readonly title: string;
  readonly run: () => void;
}

const shown = signal<readonly Toast[]>([]);
const shownMax = 4;
let nextId = 1;

/** Shows a short message for some seconds; one of trouble stays until it is closed. */
export function toast(text: string, tone: Tone = "ok", action: ToastAction | null = null): void {
  const id = nextId++;
  shown.value = [...shown.value, { id, text, tone, action }].slice(-shownMax);
  if (tone !== "trouble") setTimeout(() => close(id), action === null ? 4000 : 12_000);
}

function close(id: number): void {
  shown.value = shown.value.filter((each) => each.id !== id);
}

/** Where the messages are shown; once in the frame. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.value.map((each) => (
        <div key={each.id} class="toast">
          <Status tone={each.tone} />
          <span class="toast__text">{each.text}</span>
          {each.action !== null && (
            <button type="button" class="toast__action" onClick={() => runAndClose(each)}>
              {each.action.title}
            </button>
          )}
          <button type="button" class="toast__close" aria-label="Close" onClick={() => close(each.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

function runAndClose(each: Toast): void {
  close(each.id);
  each.action?.run();
}
