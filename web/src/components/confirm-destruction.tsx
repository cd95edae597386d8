import "./confirm-destruction.css";
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { KubeStatus } from "../live/protocol";
import { Button } from "./button";
import { CopyLine } from "./copy-line";
import { ErrorNotice } from "./error-notice";

/** What is to be lost, said before it is asked. */
export interface Destruction {
  /** A question with the object's name, such as "Delete the Deployment web?". */
  readonly title: string;
  /** What else goes with it: dependents, endpoints, budgets; and choices such as the propagation. */
  readonly consequences: ComponentChildren;
  /** The verb on the button. */
  readonly verb: string;
  /** What a person types to confirm, where much is lost; empty to ask for nothing. */
  readonly typed?: string;
  /** The equivalent kubectl command. */
  readonly command?: string;
  /** Does it; returns null, or why it was refused, which is shown here. */
  readonly run: () => Promise<KubeStatus | null>;
}

const asked = signal<Destruction | null>(null);

/** Asks a person to confirm: the only thing in the Console that stands in the way of everything else. */
export function askDestruction(destruction: Destruction): void {
  asked.value = destruction;
}

/** Where it is asked; once in the frame. */
export function ConfirmDestruction() {
  const destruction = asked.value;
  return destruction === null ? null : <Ask key={destruction.title} destruction={destruction} />;
}

function Ask({ destruction }: { readonly destruction: Destruction }) {
  const { title, consequences, verb, typed = "", command = "" } = destruction;
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<KubeStatus | null>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const run = async () => {
    setBusy(true);
    const status = await destruction.run();
    setBusy(false);
    if (status === null) asked.value = null;
    else setRefused(status);
  };
  return (
    <dialog
      ref={dialog}
      class="confirm"
      aria-labelledby="confirm-title"
      onCancel={() => (asked.value = null)}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <h2 id="confirm-title">{title}</h2>
        <div class="confirm__consequences">{consequences}</div>
        {typed !== "" && (
          <label class="confirm__typed">
            Type <strong>{typed}</strong> to confirm
            <input
              class="input"
              value={text}
              autocomplete="off"
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
        )}
        {command !== "" && <CopyLine text={command} />}
        {refused !== null && <ErrorNotice status={refused} />}
        <div class="confirm__buttons">
          <Button onClick={() => (asked.value = null)}>Cancel</Button>
          <Button type="submit" look="danger" busy={busy} disabled={text !== typed}>
            {verb}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
