/** What details of all kinds are made of; other rooms' object pages (nodes) use them too. */
export { Bar } from "./bar";
export { ConditionTable } from "./condition-table";
export { type Fact, Facts } from "./facts";
export { Grid } from "./grid";
export { Annotations, Labels } from "./labels";
export { LinkTo, ObjectLink, pageOf } from "./object-link";
export { RuleHint } from "./rule-hint";
export { Section } from "./section";
export { Tree } from "./tree";
