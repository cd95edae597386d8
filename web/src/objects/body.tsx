import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ErrorNotice } from "../components";
import type { Resource } from "../kube/resources";
import type { KubeObject } from "../live/protocol";
import { Details } from "./details";

/** What each tab of an object's page is given. */
export interface TabProps {
  readonly resource: Resource;
  readonly object: KubeObject;
}

type TabModule = { readonly default: ComponentType<TabProps> };

const LAZY: Readonly<Record<string, () => Promise<TabModule>>> = {
  yaml: () => import("./yaml"),
  events: () => import("./events"),
  logs: () => import("./logs"),
  terminal: () => import("./terminal"),
  why: () => import("./why"),
};

/** The chosen tab's content; all but the details load when they are looked at. */
export function Body({ tab, ...props }: TabProps & { readonly tab: string }) {
  const [loaded, setLoaded] = useState<{ tab: string; Content: ComponentType<TabProps> | null } | null>(null);
  useEffect(() => {
    let current = true;
    LAZY[tab]?.().then(
      (module) => current && setLoaded({ tab, Content: module.default }),
      () => current && setLoaded({ tab, Content: null }),
    );
    return () => {
      current = false;
    };
  }, [tab]);
  if (tab === "details") return <Details {...props} />;
  if (loaded?.tab !== tab) return null;
  if (loaded.Content === null)
    return (
      <ErrorNotice
        status={{ message: "This tab's code could not be loaded: the Console does not answer." }}
      />
    );
  return <loaded.Content {...props} />;
}
