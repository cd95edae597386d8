/** Who is signed in. */
import { signal } from "@preact/signals";
import { csrfHeader, setCsrf } from "../live/api";
import { signedOut } from "../live/connection";
import type { KubeStatus } from "../live/protocol";
import { connect, disconnect } from "../live/socket";

/** The signed-in user, as the back end names them. */
export interface Session {
  readonly user: string;
  /** When the session ends, in seconds since the epoch; 0 when that is not known. */
  readonly expires: number;
  /** What else the back end says of itself. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** The session: `undefined` until the back end was asked, null when nobody is signed in. */
export const session = signal<Session | null | undefined>(undefined);

/** How a person signs in: with the one-time code of a link, or with a bearer token. */
export type Proof = { readonly code: string } | { readonly token: string };

/** Asks who is signed in and connects; asked again until the back end answers. */
export async function loadSession(): Promise<void> {
  for (;;) {
    try {
      const response = await fetch("/console/session", { credentials: "same-origin" });
      if (response.ok) begin((await response.json()) as Record<string, unknown>);
      else if (response.status === 401 || response.status === 403) session.value = null;
      else throw new Error(response.statusText);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** Signs in; returns null, or why that was refused. */
export async function signIn(proof: Proof): Promise<KubeStatus | null> {
  try {
    const response = await fetch("/console/session", {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(proof),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) return { ...answer, code: response.status };
    begin(answer);
    return null;
  } catch {
    return { code: 0, message: "The Console's back end does not answer." };
  }
}

/** Signs out here and in every other tab of this browser. */
export async function signOut(): Promise<void> {
  await fetch("/console/session", { method: "DELETE", credentials: "same-origin", headers: csrfHeader() });
  end();
}

function begin(answer: Record<string, unknown>): void {
  const { user, expires, csrf, ...about } = answer;
  setCsrf(typeof csrf === "string" ? csrf : "");
  session.value = {
    user: typeof user === "string" ? user : "",
    expires: typeof expires === "number" ? expires : 0,
    about,
  };
  connect();
}

function end(): void {
  disconnect();
  session.value = null;
}

signedOut.subscribe((count) => {
  if (count > 0) end();
});
