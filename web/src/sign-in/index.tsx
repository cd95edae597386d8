import "./sign-in.css";
import { useEffect, useState } from "preact/hooks";
import { addressOf } from "../app/match";
import { go, location, path } from "../app/router";
import { loadSession, type Proof, session, signIn } from "../app/session";
import { codeIn } from "../app/sign-in-code";
import { Button, CopyLine, Field, Icon } from "../components";
import type { KubeStatus } from "../live";
import { explainRefusal } from "./sign-in-text";

/** Signs in by the one-time code of a link, which leaves the address at once, or by a bearer token. */
export default function SignInPage() {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ proof: Proof; status: KubeStatus } | null>(null);
  const [token, setToken] = useState("");

  const enter = async (proof: Proof) => {
    setBusy(true);
    const status = await signIn(proof);
    setBusy(false);
    if (status !== null) setRefused({ proof, status });
    else if (path.peek() === "/sign-in") go("/", { replace: true });
  };
  useEffect(() => {
    const code = codeIn(window.location.hash);
    if (code !== "") {
      const { path: here, query } = location.peek();
      go(addressOf(here, query), { replace: true });
      void enter({ code });
    } else if (path.peek() === "/sign-in") {
      void loadSession().then(() => {
        if (session.peek() !== null) go("/", { replace: true });
      });
    }
  }, []);

  const explained = refused === null ? null : explainRefusal(refused.proof, refused.status);
  return (
    <main class="sign-in">
      <div class="sign-in__card">
        <h1>
          <Icon name="brand" />
          homeostat
        </h1>
        {explained === null ? (
          <p class="sign-in__lead">{busy ? "Signing in …" : "Sign in to the Console of this cluster."}</p>
        ) : (
          <div class="sign-in__refused" role="alert">
            <h2>{explained.title}</h2>
            <p>{explained.advice}</p>
          </div>
        )}
        <section>
          <h2>With a link</h2>
          <p>This command prints one that signs in once, within ten minutes:</p>
          <CopyLine text="homeostat console" />
        </section>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void enter({ token: token.trim() });
          }}
        >
          <h2>With a bearer token</h2>
          <Field
            label="Token"
            control="token"
            hint={
              <>
                Such as <code>kubectl create token NAME</code> prints for a service account. You see and do
                here what its rights allow.
              </>
            }
          >
            <input
              id="token"
              type="password"
              autocomplete="off"
              spellcheck={false}
              value={token}
              onInput={(event) => setToken(event.currentTarget.value)}
            />
          </Field>
          <Button type="submit" look="main" busy={busy} disabled={token.trim() === ""}>
            Sign in
          </Button>
        </form>
      </div>
    </main>
  );
}
