import { useEffect } from "preact/hooks";
import { Frame } from "./frame";
import { Page } from "./page";
import { path } from "./router";
import { loadSession, session } from "./session";
import { codeIn } from "./sign-in-code";

/** The whole page: the sign-in when nobody is signed in, else the frame with the page in it. */
export function App() {
  useEffect(() => {
    // A link with a code signs in anew, whoever is signed in, in an open page too.
    const begin = () => {
      if (codeIn(window.location.hash) !== "") session.value = null;
    };
    begin();
    if (session.peek() === undefined && path.peek() !== "/sign-in") void loadSession();
    window.addEventListener("hashchange", begin);
    return () => window.removeEventListener("hashchange", begin);
  }, []);
  if (path.value === "/sign-in") return <Page path="/sign-in" />;
  if (session.value === undefined) return null;
  if (session.value === null) return <Page path="/sign-in" />;
  return (
    <Frame>
      <Page path={path.value} />
    </Frame>
  );
}
