/** The one-time code in an address's fragment (`#code=…`), which no server sees; empty when there is none. */
export function codeIn(fragment: string): string {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("code") ?? "";
}
