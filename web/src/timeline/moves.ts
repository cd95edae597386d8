/** What an entry's summary says, as data: `Ready True -> False (ContainersNotReady); restarts 0 -> 1`. */

/** One value that changed. */
export interface Move {
  what: string;
  from: string;
  to: string;
  reason: string;
}

const MOVE = /^(\S+) (.*?) -> (.*?)(?: \(([^()]*)\))?$/;

/** The moves of a summary, in its order; parts that are not moves are left out. */
export function movesOf(summary: string): Move[] {
  const found: Move[] = [];
  for (const part of summary.split("; ")) {
    const match = MOVE.exec(part);
    if (match) {
      const [, what = "", from = "", to = "", reason = ""] = match;
      found.push({ what, from, to, reason });
    }
  }
  return found;
}

/** The move of one value, where the summary has it. */
export function moveOf(summary: string, what: string): Move | undefined {
  return movesOf(summary).find((move) => move.what === what);
}

/** The taints that a summary says were added (or removed), as `key:effect`. */
export function taintsOf(summary: string, verb: "added" | "removed"): string[] {
  return summary
    .split("; ")
    .filter((part) => part.startsWith("taint ") && part.endsWith(` ${verb}`))
    .map((part) => part.slice("taint ".length, -verb.length - 1));
}
