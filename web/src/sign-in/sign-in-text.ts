/** What the sign-in says of refusals. Pure. */
import type { Proof } from "../app/session";
import type { KubeStatus } from "../live";

/** Why a sign-in was refused, and what to do. */
export function explainRefusal(
  proof: Proof,
  status: KubeStatus,
): { readonly title: string; readonly advice: string } {
  const message = status.message ?? "";
  switch (status.code) {
    case 0:
    case 502:
    case 503:
    case 504:
      return { title: "No answer", advice: `${message} Try again in a moment.`.trim() };
    case 429:
      return { title: "Too many tries", advice: message === "" ? "Wait a minute, then try again." : message };
    case 401:
    case 403:
    case 404:
      return "code" in proof
        ? {
            title: "This link no longer signs in",
            advice:
              "A link signs in once, within ten minutes. It has been used, or it has expired: print a new one.",
          }
        : {
            title: "The cluster does not accept this token",
            advice: "It may have expired, or be of another cluster. Make a new one, or use a link.",
          };
    default:
      return { title: "That did not work", advice: message };
  }
}
