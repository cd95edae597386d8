/** The YAML editor: CodeMirror with completion and validation by the cluster's schema. Loaded when it is first shown. */
import {
  autocompletion,
  closeBrackets,
  completionKeymap,
  type CompletionContext,
  type CompletionResult,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { linter, lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { completionsAt, describe, type SchemaSource } from "./completion";
import { appearance } from "./appearance";
import type { Problem } from "./validate";

/** What the editor needs to know. */
export interface EditorOptions {
  readonly text: string;
  readonly label: string;
  readonly readOnly: boolean;
  readonly schemas: SchemaSource;
  readonly check: (text: string) => Promise<readonly Problem[]>;
  readonly onChange: (text: string) => void;
}

/** An editor on the screen. */
export interface Editor {
  readonly setText: (text: string) => void;
  readonly text: () => string;
  readonly setReadOnly: (readOnly: boolean) => void;
  /** Marks problems that the cluster named, and goes to the first. */
  readonly mark: (problems: readonly Problem[]) => void;
  readonly focus: () => void;
  readonly dispose: () => void;
}

const toDiagnostic = ({ from, to, message, severity }: Problem): Diagnostic => ({
  from,
  to,
  message,
  severity,
});

/** Shows an editor in an element; its styles stay within a shadow root, which a strict policy lets be. */
export function openEditor(element: HTMLElement, options: EditorOptions): Editor {
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  const writable = new Compartment();
  const readOnly = (value: boolean): Extension => [
    EditorState.readOnly.of(value),
    EditorView.editable.of(!value),
  ];
  // What the page puts into the editor it is not told of again.
  let quiet = false;
  const view = new EditorView({
    root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        extensionsFor(options),
        writable.of(readOnly(options.readOnly)),
        EditorView.contentAttributes.of({ "aria-label": options.label }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !quiet) options.onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  root.append(view.dom);
  return {
    text: () => view.state.doc.toString(),
    setText: (text) => {
      const now = view.state.doc.toString();
      if (now === text) return;
      quiet = true;
      view.dispatch({ changes: { from: 0, to: now.length, insert: text } });
      quiet = false;
    },
    setReadOnly: (value) => view.dispatch({ effects: writable.reconfigure(readOnly(value)) }),
    mark: (problems) => {
      const length = view.state.doc.length;
      const inside = problems.map((each) => ({
        ...each,
        from: Math.min(each.from, length),
        to: Math.min(each.to, length),
      }));
      view.dispatch(setDiagnostics(view.state, inside.map(toDiagnostic)));
      const [first] = inside;
      if (first)
        view.dispatch({
          effects: EditorView.scrollIntoView(first.from, { y: "center" }),
          selection: { anchor: first.from },
        });
    },
    focus: () => view.focus(),
    dispose: () => view.destroy(),
  };
}

function extensionsFor(options: EditorOptions): Extension {
  return [
    lineNumbers(),
    foldGutter(),
    history(),
    drawSelection(),
    indentOnInput(),
    indentUnit.of("  "),
    bracketMatching(),
    closeBrackets(),
    highlightSelectionMatches(),
    search({ top: true }),
    yaml(),
    appearance(),
    lintGutter(),
    linter(async (view) => (await options.check(view.state.doc.toString())).map(toDiagnostic), {
      delay: 400,
    }),
    autocompletion({ override: [(context) => complete(context, options.schemas)], activateOnTyping: true }),
    hoverTooltip(async (view, pos) => {
      const { from, to, text } = view.state.doc.lineAt(pos);
      const colon = text.indexOf(":");
      if (colon < 0 || pos > from + colon) return null;
      const found = await describe(view.state.doc.toString(), from + colon + 1, options.schemas);
      if (!found) return null;
      const dom = document.createElement("div");
      dom.className = "cm-schema-hint";
      dom.textContent = found;
      return { pos: from, end: to, above: true, create: () => ({ dom }) };
    }),
    keymap.of([
      ...completionKeymap,
      ...defaultKeymap,
      ...historyKeymap,
      ...searchKeymap,
      ...foldKeymap,
      ...lintKeymap,
      indentWithTab,
    ]),
  ];
}

async function complete(context: CompletionContext, schemas: SchemaSource): Promise<CompletionResult | null> {
  const found = await completionsAt(context.state.doc.toString(), context.pos, schemas);
  if (!found || (found.options.length === 0 && !context.explicit)) return null;
  if (!context.explicit && found.from === context.pos) return null;
  return { from: found.from, options: found.options.map((each) => ({ ...each })), validFor: /^[\w./-]*$/ };
}
