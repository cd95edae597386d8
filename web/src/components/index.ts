/** The parts that pages are made of: one component for each thing. */
export { Age } from "./age";
export { Button, type ButtonProps } from "./button";
export { askDestruction, ConfirmDestruction, type Destruction } from "./confirm-destruction";
export { CopyLine } from "./copy-line";
export { Empty } from "./empty";
export { ErrorNotice } from "./error-notice";
export { Field } from "./field";
export { Freshness } from "./freshness";
export { Icon, type IconName } from "./icon";
export { KeyHint } from "./key-hint";
export { Menu, type MenuItem } from "./menu";
export { Panel } from "./panel";
export { Status } from "./status";
export { type Tab, Tabs } from "./tabs";
export { toast, Toasts } from "./toasts";
export { type TableColumn, type TableSort, VirtualTable, type VirtualTableProps } from "./virtual-table";
