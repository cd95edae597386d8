import "./error-notice.css";
import type { ComponentChildren } from "preact";
import type { KubeStatus } from "../live/protocol";
import { explainStatus } from "./explain-status";
import { Status } from "./status";

interface ErrorNoticeProps {
  readonly status: KubeStatus;
  /** What a person can do here, such as buttons, or both sides of a conflict. */
  readonly children?: ComponentChildren;
}

/** A refusal explained: what happened, Kubernetes' own words, and what to do. */
export function ErrorNotice({ status, children }: ErrorNoticeProps) {
  const { title, message, advice, causes } = explainStatus(status);
  return (
    <div class="error-notice" role="alert">
      <h3>
        <Status tone="trouble">{title}</Status>
      </h3>
      {advice !== "" && <p>{advice}</p>}
      {causes.length > 0 && (
        <ul class="error-notice__causes">
          {causes.map((cause) => (
            <li key={`${cause.field} ${cause.message}`}>
              {cause.field !== "" && <code>{cause.field}</code>} {cause.message}
            </li>
          ))}
        </ul>
      )}
      {message !== "" && causes.length === 0 && <p class="error-notice__message">{message}</p>}
      {children}
    </div>
  );
}
