import { useEffect, useRef, useState } from "preact/hooks";
import { actionsFor } from "../actions";
import { addressOf } from "../app/match";
import { namespace } from "../app/namespace";
import { go } from "../app/router";
import { objectPath, type Resource } from "../app/resources";
import type { Row } from "../live";
import { useSearches } from "../search/searches";
import { commandEntries, pageEntries, type PaletteEntry } from "./entries";
import { ranked } from "./rank";
import { closeOverlay } from "./state";

const objectsMax = 4;
const shownMax = 40;

/** Finds any page, command or object as one types; `>` finds what can be done with the object that is found first. */
export function Palette() {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const acting = text.startsWith(">");
  const wanted = text.replace(/^>/, "").trim();
  const entries = useEntries(wanted, acting);
  const at = Math.min(chosen, entries.length - 1);
  useEffect(() => setChosen(0), [text]);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [at, entries]);

  const run = (entry: PaletteEntry | undefined) => {
    if (entry === undefined) return;
    closeOverlay();
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && entries.length > 0) {
      event.preventDefault();
      setChosen((at + step + entries.length) % entries.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(entries[at]);
    } else if (event.key === "Tab") {
      event.preventDefault();
    }
  };
  return (
    <>
      <input
        class="palette__input"
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={at >= 0 ? `palette-${at}` : undefined}
        aria-label="Find a page, an object or a command"
        placeholder="Find a page, an object or a command"
        autocomplete="off"
        spellcheck={false}
        ref={(input) => {
          if (input !== null && document.activeElement !== input) input.focus();
        }}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <ul class="palette__list" id="palette-list" role="listbox" aria-label="Found" ref={list}>
        {entries.map((entry, index) => (
          <li
            key={entry.id}
            id={`palette-${index}`}
            role="option"
            class="palette__entry"
            aria-selected={index === at}
            onPointerMove={() => setChosen(index)}
            onClick={() => run(entry)}
          >
            <span class="palette__title">{entry.title}</span>
            <span class="palette__note">{entry.note}</span>
          </li>
        ))}
      </ul>
      {entries.length === 0 && <p class="palette__nothing">Nothing is named like that</p>}
      <p class="palette__hint">
        <span>↑↓ choose</span>
        <span>↵ open</span>
        <span>&gt; what can be done with an object</span>
      </p>
    </>
  );
}

function useEntries(wanted: string, acting: boolean): readonly PaletteEntry[] {
  const results = useSearches(wanted, namespace.value, objectsMax).value;
  const named = results.find(({ resource }) => resource.plural === "namespaces");
  const objects = results.flatMap(({ resource, view }) => {
    return [...view.rows.values()].slice(0, objectsMax).map((row) => ({ resource, row }));
  });
  if (acting) return objects.slice(0, 3).flatMap(({ resource, row }) => actionEntries(resource, row));
  const namespaces = [...(named?.view.rows.values() ?? [])].map((row) => row.name);
  const fixed = [...pageEntries(), ...commandEntries(namespaces)];
  if (wanted === "") return fixed;
  const found = wanted.length < 2 ? [] : objects.map(({ resource, row }) => objectEntry(resource, row));
  return ranked([...fixed, ...found], wanted, (entry) => entry.title).slice(0, shownMax);
}

function objectEntry(resource: Resource, row: Row): PaletteEntry {
  const note = row.namespace === "" ? resource.kind : `${resource.kind} · ${row.namespace}`;
  const address = addressOf(objectPath(resource, row.namespace, row.name), { ns: namespace.value });
  return { id: row.uid, title: row.name, note, run: () => go(address) };
}

function actionEntries(resource: Resource, row: Row): readonly PaletteEntry[] {
  const { namespace: place, name, uid } = row;
  return actionsFor(resource, [{ namespace: place, name, uid }]).map((action) => {
    return {
      id: `${uid} ${action.id}`,
      title: action.title,
      note: `${resource.kind} ${name}`,
      run: action.run,
    };
  });
}
