import { flagValue } from "./flags";

/** A rule of Kubernetes in a sentence, and the flags whose values it names. */
export interface Rule {
  text: string;
  flags: string[];
}

/** A rule from a text in which `{component.flag}` stands for a flag's value. */
export function filled(text: string): Rule {
  const flags: string[] = [];
  const full = text.replace(/\{([a-z-]+\.[a-z-]+)\}/g, (_, name: string) => {
    flags.push(name);
    return flagValue(name);
  });
  return { text: full, flags };
}
