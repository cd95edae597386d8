import { Icon, Menu, type MenuItem } from "../components";
import { useObjects } from "../live";
import { chooseNamespace, namespace } from "./namespace";
import { path } from "./router";
import { routeOf } from "./routes";

const namespaces = {
  resource: { group: "", version: "v1", plural: "namespaces" },
  namespace: "",
  labels: "",
  fields: "",
};

/** Chooses the namespace that lists show. */
export function NamespaceSwitch() {
  const known = useObjects(namespaces);
  if (routeOf(path.value)?.route.namespaced !== true) return null;
  const chosen = namespace.value;
  const names = [...known.value.objects.values()].map((each) => each.metadata.name);
  if (chosen !== "") names.push(chosen);
  const items = [...new Set(names)].sort().map((name): MenuItem => {
    return { id: name, title: name, chosen: name === chosen, run: () => chooseNamespace(name) };
  });
  const all: MenuItem = {
    id: "",
    title: "All namespaces",
    chosen: chosen === "",
    run: () => chooseNamespace(""),
  };
  return (
    <Menu
      label="Namespace"
      side="right"
      items={[all, ...items]}
      search={items.length > 8 ? "Find a namespace" : ""}
    >
      <span class="namespace-switch__label" aria-hidden="true">
        ns
      </span>
      <span class="namespace-switch__name">{chosen === "" ? "All" : chosen}</span>
      <Icon name="chevron-down" />
    </Menu>
  );
}
