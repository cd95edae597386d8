import type { TabProps } from "../body";

/** Placeholder. */
export default function YamlTab({ object }: TabProps) {
  return <pre>{JSON.stringify(object, null, 2)}</pre>;
}
