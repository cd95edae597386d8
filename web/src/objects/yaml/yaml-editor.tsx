import "./yaml-editor.css";
import { useEffect, useRef } from "preact/hooks";
import type { Editor } from "./editor";
import type { Problem } from "./validate";

interface YamlEditorProps {
  readonly text: string;
  readonly label: string;
  readonly readOnly?: boolean;
  /** What the cluster found wrong, to be marked in the text. */
  readonly marks?: readonly Problem[];
  readonly onChange?: (text: string) => void;
}

/** An editor for YAML that knows the cluster's schemas; a changed `text` replaces what is in it. */
export function YamlEditor({ text, label, readOnly = false, marks, onChange }: YamlEditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const latest = useRef({ text, onChange, readOnly });
  latest.current = { text, onChange, readOnly };
  // What was typed and has not come back as `text`: until it has, `text` is older than what the editor shows.
  const typed = useRef<string | null>(null);
  if (typed.current === text) typed.current = null;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let current = true;
    const modules = Promise.all([import("./editor"), import("./load-schema"), import("./check")]);
    void modules.then(([{ openEditor }, { loadSchema }, { checkText }]) => {
      if (!current) return;
      editor.current = openEditor(element, {
        text: latest.current.text,
        label,
        readOnly: latest.current.readOnly,
        schemas: loadSchema,
        check: (each) => checkText(each, loadSchema),
        onChange: (each) => {
          typed.current = each;
          latest.current.onChange?.(each);
        },
      });
    });
    return () => {
      current = false;
      editor.current?.dispose();
      editor.current = null;
    };
  }, []);
  useEffect(() => {
    if (typed.current === null) editor.current?.setText(text);
  }, [text]);
  useEffect(() => editor.current?.setReadOnly(readOnly), [readOnly]);
  useEffect(() => {
    if (marks && marks.length > 0) editor.current?.mark(marks);
  }, [marks]);
  return <div ref={box} class="yaml-editor" />;
}
