import { guideOpen } from "./state";
import { GuideSteps } from "./guide-steps";

/** The guide's side panel: which step has been done, and what to look at next. Null while it is not open. */
export default function GuidePanel() {
  return guideOpen.value ? <GuideSteps /> : null;
}
