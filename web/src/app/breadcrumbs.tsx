import { Link } from "./link";
import { inNamespace } from "./namespace";
import { placeInNavigation } from "./pages-in-navigation";
import { path } from "./router";
import { listPath, resourceNamed } from "./resources";
import { routeOf } from "./routes";

/** Section, list and object of the page; of a list the last is the page's heading. */
export function Breadcrumbs() {
  const here = placeInNavigation(path.value);
  const found = routeOf(path.value);
  const parts = path.value.split("/").filter((part) => part !== "");
  const custom = here === null ? resourceNamed(parts[0] ?? "") : null;
  const list = here?.item ?? (custom === null ? null : { title: custom.title, path: listPath(custom) });
  const deeper = parts.length > 1;
  const name = found?.params.name ?? "";
  const place = found?.params.namespace ?? "";
  const heading = deeper ? name : (list?.title ?? found?.route.title ?? "Not found");
  return (
    <ol class="breadcrumbs" aria-label="Breadcrumbs">
      {here !== null && (
        <li>
          <span>{here.section.title}</span>
        </li>
      )}
      {custom !== null && (
        <li>
          <Link to={inNamespace("/custom-resources")}>Custom Resources</Link>
        </li>
      )}
      {deeper && list !== null && (
        <li>
          <Link to={inNamespace(list.path)}>{list.title}</Link>
        </li>
      )}
      <li title={place === "" ? heading : `${place}/${heading}`}>
        {/* A page of one thing has a heading of its own. */}
        {deeper ? <b aria-current="page">{heading}</b> : <h1>{heading}</h1>}
      </li>
    </ol>
  );
}
