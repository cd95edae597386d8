import { expect, it } from "vitest";
import { volumeText } from "./volumes";

it("says where a volume's files come from", () => {
  expect(volumeText({ name: "a", hostPath: { path: "/var" } })).toBe("/var");
  expect(volumeText({ name: "a", emptyDir: { sizeLimit: "1Gi" } })).toBe("empty at the pod's start, 1Gi");
  const sources = [
    { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
    { configMap: { name: "kube-root-ca.crt" } },
    { downwardAPI: { items: [] } },
  ];
  expect(volumeText({ name: "a", projected: { sources } })).toBe(
    "token, renewed within 3607 s, config map kube-root-ca.crt, downwardAPI",
  );
});
