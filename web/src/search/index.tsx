import "./search.css";
import { addressOf } from "../app/match";
import { Link } from "../app/link";
import { namespace } from "../app/namespace";
import { location } from "../app/router";
import { listPath, objectPath } from "../app/resources";
import { Age, Empty, Status } from "../components";
import type { Row } from "../live";
import { type Found, useSearches } from "./searches";

const rowsMax = 8;

/** Looks for a name in all resources of the navigation at once. */
export default function SearchPage() {
  const search = location.value.query.search ?? "";
  const results = useSearches(search, namespace.value, rowsMax).value;
  const answered = results.filter(({ view }) => view.state !== "loading" || view.error !== null);
  const found = results.filter(({ view }) => view.matched > 0);
  const total = found.reduce((sum, { view }) => sum + view.matched, 0);
  if (found.length === 0 && answered.length === results.length) {
    return (
      <Empty title={search === "" ? "This cluster is empty" : `Nothing is named ${search}`}>
        Names of {results.length} kinds of objects were looked at
        {namespace.value === "" ? "" : ` in the namespace ${namespace.value}`}.
      </Empty>
    );
  }
  return (
    <div class="search">
      <p class="search__lead">
        {total} {total === 1 ? "object" : "objects"} of {found.length} kinds
        {search === "" ? "" : ` with ${search} in the name`}
      </p>
      <div class="search__groups">
        {found.map((each) => (
          <Group key={each.resource.plural} found={each} search={search} />
        ))}
      </div>
    </div>
  );
}

function Group({ found: { resource, view }, search }: { readonly found: Found; readonly search: string }) {
  const rows = [...view.rows.entries()].sort(([a], [b]) => a - b).map(([, row]) => row);
  const list = addressOf(listPath(resource), { ns: namespace.value, search });
  return (
    <section class="search__group">
      <h2>
        <Link to={list}>{resource.title}</Link> <span class="search__count">{view.matched}</span>
      </h2>
      <ul>
        {rows.slice(0, rowsMax).map((row) => (
          <li key={row.uid}>
            <FoundRow
              row={row}
              to={addressOf(objectPath(resource, row.namespace, row.name), { ns: namespace.value })}
            />
          </li>
        ))}
        {view.matched > rowsMax && (
          <li>
            <Link to={list} class="search__more">
              {view.matched - rowsMax} more
            </Link>
          </li>
        )}
      </ul>
    </section>
  );
}

function FoundRow({ row, to }: { readonly row: Row; readonly to: string }) {
  return (
    <Link to={to} class={row.gone ? "search__row search__row--gone" : "search__row"}>
      <span>{row.status !== "" && <Status tone={row.tone} />}</span>
      <span class="search__name">{row.name}</span>
      <span class="search__place">{row.namespace}</span>
      <span class="search__status">{row.status}</span>
      <span class="search__age">
        <Age since={row.created} />
      </span>
    </Link>
  );
}
