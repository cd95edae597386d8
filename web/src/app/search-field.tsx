import { useEffect, useRef } from "preact/hooks";
import { Icon, KeyHint } from "../components";
import { addressOf } from "./match";
import { go, location, path, setQuery } from "./router";
import { routeOf } from "./routes";

/** The field's id, by which pages that list things move the focus to it. */
export const searchFieldId = "search";

/**
 * The search: on a page that lists things it filters them as one types; elsewhere Enter looks in the whole cluster. It
 * is the same field on every page, so that what is typed, its selection and the focus outlast whatever happens there.
 */
export function SearchField() {
  const field = useRef<HTMLInputElement>(null);
  const here = path.value;
  const filters = routeOf(here)?.route.filters === true;
  const text = filters ? (location.value.query.search ?? "") : "";
  useEffect(() => {
    if (filters && !isTyping(document.activeElement)) field.current?.focus({ preventScroll: true });
    // A page that lists nothing has keys of its own, which are not meant for the search.
    else if (!filters && document.activeElement === field.current) field.current?.blur();
  }, [here]);
  useEffect(() => {
    // The address as it is now: what is typed faster than the page is drawn is in it already.
    const now = filters ? (location.peek().query.search ?? "") : "";
    if (field.current !== null && field.current.value !== now) field.current.value = now;
  }, [text, here]);
  return (
    <div class="search-field" role="search">
      <Icon name="search" />
      <input
        ref={field}
        id={searchFieldId}
        class="input"
        type="search"
        autocomplete="off"
        spellcheck={false}
        placeholder={filters ? "Filter by name" : "Search the cluster"}
        aria-label={filters ? "Filter by name" : "Search the cluster"}
        defaultValue={text}
        onInput={(event) => {
          if (filters) setQuery({ search: event.currentTarget.value });
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
          if (event.key === "Enter" && !filters)
            go(addressOf("/search", { search: event.currentTarget.value }));
        }}
      />
      <KeyHint keys={["/"]} />
    </div>
  );
}

function isTyping(element: Element | null): boolean {
  return element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
}
