/** The lines of `/readyz?verbose` as data. */

/** One check. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly why: string;
}

/** The checks of an answer, in its order: `[+]etcd ok`, `[-]etcd failed: reason withheld`. */
export function checksOf(text: string): Check[] {
  return text.split("\n").flatMap((line) => {
    const [, sign, name = "", why = ""] = /^\[([+-])\](\S+) ?(.*)$/.exec(line) ?? [];
    return sign === undefined ? [] : [{ name, ok: sign === "+", why }];
  });
}
