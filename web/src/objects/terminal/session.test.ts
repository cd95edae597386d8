import { expect, it } from "vitest";
import { terminalAddress } from "./session";

const target = { namespace: "d", pod: "web-1", container: "app", command: ["sh", "-c", "echo hi"] };

it("a terminal's address names container, streams and command", () => {
  expect(terminalAddress({ ...target, mode: "exec" }, "https://console:8443")).toBe(
    "wss://console:8443/k8s/api/v1/namespaces/d/pods/web-1/exec" +
      "?container=app&stdin=true&stdout=true&stderr=false&tty=true&command=sh&command=-c&command=echo+hi",
  );
  expect(terminalAddress({ ...target, mode: "attach" }, "http://c")).not.toContain("command");
});
