import { expect, it } from "vitest";
import { checksOf } from "./checks";
import { groupedFlags } from "./flag-groups";

it("reads the checks of an API server", () => {
  expect(checksOf("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed")).toEqual([
    { name: "ping", ok: true, why: "ok" },
    { name: "etcd", ok: false, why: "failed: reason withheld" },
  ]);
});

it("groups flags by component, those that were set first, and finds them by words of their meaning", () => {
  const flag = (component: string, name: string, set = false) => ({
    component,
    name,
    value: "1",
    default: "1",
    set,
    doc: `what ${name} is`,
  });
  const all = [flag("kubelet", "a"), flag("kubelet", "b", true), flag("apiserver", "c")];
  const names = (search: string) =>
    groupedFlags(all, search).map(
      ([component, flags]) => `${component}: ${flags.map((each) => each.name).join(" ")}`,
    );
  expect(names("")).toEqual(["kubelet: b a", "apiserver: c"]);
  expect(names("WHAT c")).toEqual(["apiserver: c"]);
});
