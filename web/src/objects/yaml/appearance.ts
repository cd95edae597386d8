import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** The editor in the Console's own colours, by the design's tokens. */
export function appearance(): Extension {
  return [
    EditorView.theme({
      "&": { height: "100%", fontSize: "12.5px", backgroundColor: "var(--page)", color: "var(--text)" },
      "&.cm-focused": { outline: "none" },
      ".cm-scroller": { fontFamily: "var(--font-code)", lineHeight: "1.5" },
      ".cm-gutters": { backgroundColor: "var(--page)", color: "var(--text-faint)", border: "none" },
      ".cm-content": { caretColor: "var(--accent)" },
      ".cm-cursor": { borderLeftColor: "var(--accent)" },
      "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
        backgroundColor: "var(--selected)",
      },
      ".cm-selectionMatch": { backgroundColor: "var(--hover)" },
      ".cm-tooltip": {
        maxWidth: "420px",
        backgroundColor: "var(--raised)",
        color: "var(--text)",
        border: "1px solid var(--border-strong)",
        borderRadius: "var(--radius)",
        fontFamily: "var(--font)",
      },
      ".cm-tooltip.cm-completionInfo": { padding: "8px 12px" },
      ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
        backgroundColor: "var(--selected)",
        color: "var(--text)",
      },
      ".cm-completionDetail": { color: "var(--text-faint)", fontStyle: "normal" },
      ".cm-schema-hint": { padding: "8px 12px", whiteSpace: "pre-wrap" },
      ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--text)", borderColor: "var(--border)" },
      ".cm-panels input, .cm-panels button": { fontSize: "12px" },
      ".cm-changedLine, .cm-insertedLine": { backgroundColor: "var(--accent-soft) !important" },
      ".cm-deletedChunk": { backgroundColor: "var(--trouble-soft)" },
      ".cm-collapsedLines": { background: "var(--sunken)", color: "var(--text-quiet)" },
      ".cm-collapsedLines::before, .cm-collapsedLines::after": { content: "none" },
      ".cm-deletedText": { background: "none", textDecoration: "line-through" },
      ".cm-changedText": { background: "none", textDecoration: "underline" },
    }),
    syntaxHighlighting(
      HighlightStyle.define([
        { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
        { tag: [tags.string, tags.content], color: "var(--text)" },
        { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--change)" },
        { tag: [tags.comment, tags.meta], color: "var(--text-faint)" },
        { tag: tags.punctuation, color: "var(--text-quiet)" },
      ]),
    ),
  ];
}
