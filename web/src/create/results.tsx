import { ErrorNotice, Status } from "../components";
import { LinkTo } from "../objects/parts";
import type { Result } from "./send";

interface ResultsProps {
  readonly results: readonly Result[];
  readonly dryRun: boolean;
}

/** What became of each document. */
export function Results({ results, dryRun }: ResultsProps) {
  if (results.length === 0) return null;
  return (
    <ul class="create__results" role="status" aria-label="Results">
      {results.map(({ part, object, refused }) => (
        <li key={part.index}>
          {object !== null && (
            <>
              <Status tone="ok">{dryRun ? "accepted" : "written"}</Status>
              {dryRun ? part.title : <LinkTo object={object} withKind />}
              {dryRun && <span class="create__quiet">nothing is written yet</span>}
            </>
          )}
          {refused !== null && (
            <>
              <strong>{part.title}</strong>
              <ErrorNotice status={refused} />
            </>
          )}
        </li>
      ))}
    </ul>
  );
}
