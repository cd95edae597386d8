import { useEffect } from "preact/hooks";
import { Frame } from "./frame";
import { Page } from "./page";
import { path } from "./router";
import { loadSession, session } from "./session";

/** The whole page: the sign-in when nobody is signed in, else the frame with the page in it. */
export function App() {
  useEffect(() => {
    if (path.peek() !== "/sign-in") void loadSession();
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
