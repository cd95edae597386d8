import { useEffect, useRef, useState } from "preact/hooks";
import { inNamespace } from "../app/namespace";
import { addressOf } from "../app/match";
import { Link } from "../app/link";
import { setQuery } from "../app/router";
import { type Resource, resourceName } from "../app/resources";
import { Freshness, Icon } from "../components";
import type { ListView, Tone } from "../live";
import { type Filters, withStatus } from "./list-address";
import { toneOfWord } from "./tone-of-word";

interface SummaryProps {
  readonly resource: Resource;
  readonly filters: Filters;
  readonly view: ListView;
  readonly onMerge: () => void;
}

/** Above a list: statuses with their counts to choose from, labels, what is new, and how old the data is. */
export function Summary({ resource, filters, view, onMerge }: SummaryProps) {
  const gone = [...view.rows.values()].filter((row) => row.gone).length;
  const news = [view.fresh > 0 ? `${view.fresh} new` : "", gone > 0 ? `${gone} gone` : ""].filter(
    (each) => each !== "",
  );
  return (
    <div class="summary">
      <Statuses filters={filters} view={view} />
      <div class="summary__end">
        {news.length > 0 && (
          <button
            type="button"
            class="summary__news"
            title="Put them where they belong (m)"
            onClick={onMerge}
          >
            {news.join(", ")}
          </button>
        )}
        <Labels
          labels={filters.labels}
          problem={view.error?.code === 400 ? (view.error.message ?? "") : ""}
        />
        {resource.plural !== "events" && (
          <Link
            to={inNamespace(addressOf("/create", { resource: resourceName(resource) }))}
            class="summary__create"
          >
            <Icon name="plus" />
            Create
          </Link>
        )}
        <span class="summary__data">
          {view.error === null && <Freshness state={view.state} asOf={view.asOf} />}
        </span>
      </div>
    </div>
  );
}

function Statuses({ filters, view }: Pick<SummaryProps, "filters" | "view">) {
  const seen = useRef<string[]>([]);
  const tones = useRef(new Map<string, Tone>());
  for (const status of [...Object.keys(view.statuses).sort(), ...filters.statuses]) {
    // They keep their places, whatever their counts become.
    if (status !== "" && !seen.current.includes(status)) seen.current.push(status);
  }
  for (const row of view.rows.values()) tones.current.set(row.status, row.tone);
  if (view.columns.length === 0) return <div class="summary__statuses" />;
  if (seen.current.length === 0)
    return <div class="summary__statuses">{countText(view.matched, view.total)}</div>;
  return (
    <div class="summary__statuses" role="group" aria-label="Status">
      {seen.current.map((status) => {
        const count = view.statuses[status] ?? 0;
        const tone = count > 0 ? (tones.current.get(status) ?? toneOfWord(status)) : "idle";
        return (
          <label key={status} class={`summary__status summary__status--${tone}`}>
            <input
              type="checkbox"
              checked={filters.statuses.includes(status)}
              onChange={(event) => {
                setQuery({ status: withStatus(filters.statuses, status, event.currentTarget.checked) });
              }}
            />
            {status} <strong>{count}</strong>
          </label>
        );
      })}
    </div>
  );
}

function countText(matched: number, total: number): string {
  return matched === total ? String(total) : `${matched} of ${total}`;
}

function Labels({ labels, problem }: { readonly labels: string; readonly problem: string }) {
  const [text, setText] = useState(labels);
  useEffect(() => setText(labels), [labels]);
  return (
    <span class="summary__labels">
      <Icon name="filter" />
      <input
        class={problem === "" ? "input" : "input input--wrong"}
        placeholder="app=web"
        aria-label="Labels"
        title={problem === "" ? "Labels, as kubectl's -l has them; Enter applies" : problem}
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          if (event.currentTarget.value === "") setQuery({ labels: "" });
        }}
        onBlur={() => setQuery({ labels: text.trim() })}
        onKeyDown={(event) => {
          if (event.key === "Enter") setQuery({ labels: text.trim() });
          if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
    </span>
  );
}
