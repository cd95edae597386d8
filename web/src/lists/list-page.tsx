import { useEffect, useRef, useState } from "preact/hooks";
import { location, setQuery } from "../app/router";
import type { Resource } from "../app/resources";
import { ErrorNotice } from "../components";
import { type FollowedList, useList } from "../live";
import { BulkBar } from "./bulk-bar";
import { changedFields, type Filters, filtersOf } from "./list-address";
import { ListTable } from "./list-table";
import { type Selection, withoutGone } from "./selection";
import { Summary } from "./summary";

const firstWindow = { first: 0, count: 80 };

/** One resource's list: filters in the address, counts, rows, and what can be done with those selected. */
export function ListPage({ resource }: { readonly resource: Resource }) {
  const filters = filtersOf(location.value.query, resource);
  const list = useList({ resource: refOf(resource), ...filters, ...firstWindow });
  useFilters(list, filters);
  const view = list.view.value;
  const [selection, setSelection] = useState<Selection>(new Map());
  const chosen = withoutGone(selection, view.rows);
  const refused = view.error !== null && view.error.code !== 400;
  return (
    <div class="list">
      {chosen.size > 0 ? (
        <BulkBar resource={resource} selection={chosen} onClear={() => setSelection(new Map())} />
      ) : (
        <Summary resource={resource} filters={filters} view={view} onMerge={list.merge} />
      )}
      {refused ? (
        <div class="list__refused">
          <ErrorNotice status={view.error}>
            {resource.namespaced && filters.namespace === "" && view.error.code === 403 && (
              <p>If you may list them in one namespace, choose it above.</p>
            )}
          </ErrorNotice>
        </div>
      ) : (
        <ListTable
          resource={resource}
          filters={filters}
          list={list}
          selection={chosen}
          onSelect={setSelection}
          onClearFilters={() => setQuery({ search: "", labels: "", status: "" })}
        />
      )}
    </div>
  );
}

function refOf({ group, version, plural }: Resource) {
  return { group, version, plural };
}

/** Tells the back end which of the filters have changed since it was told. */
function useFilters(list: FollowedList, filters: Filters): void {
  const told = useRef({ list, filters });
  useEffect(() => {
    if (told.current.list === list) {
      const changed = changedFields(told.current.filters, filters);
      if (Object.keys(changed).length > 0) list.change(changed);
    }
    told.current = { list, filters };
  });
}
