import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Empty, ErrorNotice } from "../components";
import { type PageProps, type Route, routeOf } from "./routes";

interface Loaded {
  readonly route: Route;
  readonly Component: ComponentType<PageProps> | null;
  readonly failed: boolean;
}

/** The page of a path. While its code loads, the page before stays. */
export function Page({ path }: { readonly path: string }) {
  const found = routeOf(path);
  const route = found?.route;
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  useEffect(() => {
    if (route === undefined) return;
    let current = true;
    route.load().then(
      (module) => current && setLoaded({ route, Component: module.default, failed: false }),
      () => current && setLoaded({ route, Component: null, failed: true }),
    );
    return () => {
      current = false;
    };
  }, [route]);
  useEffect(() => {
    document.title = found === null ? "Homeostat" : `${titleOf(found.route, found.params)} · Homeostat`;
  }, [path]);

  if (found === null)
    return <Empty title="There is no such page">Nothing in the Console has the path {path}.</Empty>;
  if (loaded?.route !== found.route) return null;
  if (loaded.failed || loaded.Component === null) {
    return (
      <ErrorNotice
        status={{ message: "This page's code could not be loaded: the Console's back end does not answer." }}
      />
    );
  }
  return <loaded.Component key={path} params={found.params} />;
}

function titleOf(route: Route, params: PageProps["params"]): string {
  return route.title.replace(/:(\w+)/, (_, name: string) => params[name] ?? "");
}
