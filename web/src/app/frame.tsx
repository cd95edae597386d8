import "./frame.css";
import type { ComponentChildren } from "preact";
import { ActionOutlet } from "../actions/outlet";
import { ConfirmDestruction, Toasts } from "../components";
import { GuideOutlet } from "../guide/outlet";
import { OverlayOutlet } from "../palette/outlet";
import { useGlobalKeys } from "./global-keys";
import { Header } from "./header";
import { Navigation } from "./navigation";
import { StoryStrip } from "./story-strip";

/** What stands around every page: navigation, header, story strip. */
export function Frame({ children }: { readonly children: ComponentChildren }) {
  useGlobalKeys();
  return (
    <div class="frame">
      <Navigation />
      <Header />
      <main class="frame__page" id="page" tabIndex={-1}>
        {children}
      </main>
      <GuideOutlet />
      <StoryStrip />
      <Toasts />
      <ConfirmDestruction />
      <ActionOutlet />
      <OverlayOutlet />
    </div>
  );
}
