import { actionsFor } from "../actions";
import { Link } from "../app/link";
import { listPath, type Resource } from "../app/resources";
import { Age, Freshness, Menu, Status } from "../components";
import { ruleOfReason } from "../kube/reasons";
import { statusOf } from "../kube/status";
import type { DataState, KubeObject } from "../live/protocol";
import { ObjectLink, RuleHint } from "./parts";

interface ObjectHeaderProps {
  readonly resource: Resource;
  readonly object: KubeObject;
  /** Whether it has been deleted: what is shown is the last that was known. */
  readonly gone: boolean;
  readonly state: DataState;
  readonly asOf: number;
}

/** What an object is called, how it is and why, how old it is, and what can be done with it. */
export function ObjectHeader({ resource, object, gone, state, asOf }: ObjectHeaderProps) {
  const { name, namespace = "", uid, creationTimestamp } = object.metadata;
  const { word, reason, tone } = statusOf(object);
  const rule = ruleOfReason(word);
  const items = gone ? [] : actionsFor(resource, [{ namespace, name, uid }]);
  return (
    <header class="object-header">
      <div class="object-header__name">
        <span class="object-header__kind">
          <Link to={listPath(resource)}>{object.kind}</Link>
        </span>
        <h1>{name}</h1>
        {items.length > 0 && (
          <Menu label={`Actions on ${name}`} items={items} side="right">
            Actions
          </Menu>
        )}
      </div>
      <div class="object-header__facts">
        {gone ? (
          <Status tone="trouble">Deleted: this is the last that was known</Status>
        ) : (
          word !== "" && (
            <span class="object-header__status">
              <Status tone={tone}>{word}</Status>
              {rule && <RuleHint rule={rule} />}
            </span>
          )
        )}
        {!gone && reason !== "" && <span class="object-header__reason">{reason}</span>}
        {namespace !== "" && (
          <span>
            in <ObjectLink kind="Namespace" name={namespace} />
          </span>
        )}
        <span>
          <Age since={creationTimestamp} suffix="old" />
        </span>
        <Freshness state={state} asOf={asOf} />
      </div>
    </header>
  );
}
