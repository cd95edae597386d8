/** The page's beginning: the frame, and in it the page that the address names. */
import "./design/tokens.css";
import "./design/base.css";
import { render } from "preact";
import { App } from "./app/app";
import { startRouter } from "./app/router";
import { startKeys } from "./app/keys";
import { startTheme } from "./app/theme";
import { startClock } from "./live/clock";

startTheme();
startRouter();
startClock();
startKeys();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
