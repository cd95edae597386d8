import "./object-page.css";
import { useEffect, useState } from "preact/hooks";
import { withKind } from "../actions/perform";
import type { PageProps } from "../app/routes";
import { location, setQuery } from "../app/router";
import { resourceNamed } from "../app/resources";
import { Empty, ErrorNotice, Tabs } from "../components";
import { resourceInfo, type Resource } from "../kube/resources";
import { type KubeObject, useObject } from "../live";
import { Body } from "./body";
import { ObjectHeader } from "./object-header";
import { tabsOf } from "./tabs-of";

/** The page of one object of any kind. */
export default function ObjectPage({ params }: PageProps) {
  const named = resourceNamed(params.resource ?? "");
  if (named === null) return <Empty title="There is no such resource">{params.resource}</Empty>;
  return <Found resource={resourceInfo(named)} namespace={params.namespace ?? ""} name={params.name ?? ""} />;
}

interface FoundProps {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
}

function Found({ resource, namespace, name }: FoundProps) {
  const { group, version, plural } = resource;
  const view = useObject({ resource: { group, version, plural }, namespace, name }).value;
  // What was known of a deleted object stays readable until the person leaves.
  const [last, setLast] = useState<KubeObject | null>(null);
  useEffect(() => {
    if (view.object !== null) setLast(view.object);
  }, [view.object]);
  const found = view.object ?? last;
  if (view.error !== null && found === null)
    return (
      <div class="object-page object-page--padded">
        <ErrorNotice status={view.error} />
      </div>
    );
  if (found === null)
    return view.state === "loading" ? null : (
      <Empty title={`There is no ${resource.kind} ${name}`}>
        {namespace
          ? `The namespace ${namespace} has none of that name.`
          : "The cluster has none of that name."}
      </Empty>
    );
  const object = withKind(resource, found);
  const tabs = tabsOf(resource, object);
  const wanted = location.value.query.tab ?? "details";
  const tab = tabs.some(({ id }) => id === wanted) ? wanted : "details";
  const gone = view.object === null && view.state === "live";
  return (
    <div class="object-page">
      <ObjectHeader resource={resource} object={object} gone={gone} state={view.state} asOf={view.asOf} />
      <Tabs
        label={`Parts of ${name}`}
        tabs={tabs}
        chosen={tab}
        onChoose={(id) => setQuery({ tab: id === "details" ? "" : id }, { push: true })}
      />
      <div
        class={`object-page__body object-page__body--${tab}`}
        role="tabpanel"
        aria-labelledby={`tab-${tab}`}
      >
        <Body tab={tab} resource={resource} object={object} />
      </div>
    </div>
  );
}
