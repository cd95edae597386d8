import type { TabProps } from "../body";
import { Section, Tree } from "../parts";

const SHOWN_ELSEWHERE = new Set(["apiVersion", "kind", "metadata"]);

/** The details of a kind without a page of its own: everything that it holds, as a tree. */
export function GenericDetails({ object }: TabProps) {
  const parts = Object.entries(object).filter(([key]) => !SHOWN_ELSEWHERE.has(key));
  return (
    <>
      {parts.map(([key, value]) => (
        <Section key={key} title={key.charAt(0).toUpperCase() + key.slice(1)}>
          <Tree value={withoutConditions(value)} />
        </Section>
      ))}
    </>
  );
}

/** A status without its conditions, which have a table of their own. */
function withoutConditions(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { conditions: _, ...rest } = value as Record<string, unknown>;
  return rest;
}
