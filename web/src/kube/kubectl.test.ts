import { describe, expect, it } from "vitest";
import { kubectl, quote, typed, type Target } from "./kubectl";

const web: Target = {
  resource: { group: "apps", version: "v1", plural: "deployments" },
  namespace: "shop",
  name: "web",
};
const pod: Target = {
  resource: { group: "", version: "v1", plural: "pods" },
  namespace: "shop",
  name: "web-1",
};
const thing: Target = {
  resource: { group: "example.org", version: "v1", plural: "things" },
  namespace: "",
  name: "one",
};

describe("a word of a command", () => {
  it.each([
    ["web-1", "web-1"],
    ["a b", "'a b'"],
    ["it's", `'it'\\''s'`],
    ["$(rm -rf /)", "'$(rm -rf /)'"],
    ["", "''"],
    ["a=b,c", "a=b,c"],
    ["!old", "'!old'"],
  ])("%j reaches the shell as %s", (word, quoted) => {
    expect(quote(word)).toBe(quoted);
  });
});

it("names a resource as a person does, and a custom one with its group", () => {
  expect(typed(web.resource)).toBe("deployment");
  expect(typed(thing.resource)).toBe("things.example.org");
});

it.each([
  [kubectl.scale(web, 3), "kubectl scale deployment/web -n shop --replicas=3"],
  [kubectl.restart(web), "kubectl rollout restart deployment/web -n shop"],
  [kubectl.undo(web, 2), "kubectl rollout undo deployment/web -n shop --to-revision=2"],
  [kubectl.setImage(web, { app: "nginx:2" }), "kubectl set image deployment/web -n shop app=nginx:2"],
  [kubectl.remove([pod]), "kubectl delete pod web-1 -n shop"],
  [
    kubectl.remove([web], { propagation: "Orphan" }),
    "kubectl delete deployment web -n shop --cascade=orphan",
  ],
  [kubectl.remove([pod], { graceSeconds: 0 }), "kubectl delete pod web-1 -n shop --grace-period=0 --force"],
  [kubectl.label(web, { a: "1", b: null }), "kubectl label deployment/web -n shop a=1 b- --overwrite"],
  [kubectl.annotate(thing, { a: "x y" }), "kubectl annotate things.example.org/one 'a=x y' --overwrite"],
  [kubectl.drain("worker-1"), "kubectl drain worker-1 --ignore-daemonsets --delete-emptydir-data"],
  [kubectl.logs(pod, { container: "app", follow: true }), "kubectl logs web-1 -n shop -c app -f"],
  [kubectl.exec(pod, "app", ["sh"]), "kubectl exec -it web-1 -n shop -c app -- sh"],
  [kubectl.portForward(pod, 8080, 80), "kubectl port-forward pod/web-1 -n shop 8080:80"],
  [kubectl.list(pod.resource, "", "app=web"), "kubectl get pods -A -l app=web"],
  [
    kubectl.suspend({ ...web, resource: { group: "batch", version: "v1", plural: "cronjobs" } }, true),
    `kubectl patch cronjob/web -n shop --type=merge -p '{"spec":{"suspend":true}}'`,
  ],
])("is what a person types: %s", (command, expected) => {
  expect(command).toBe(expected);
});

it("evicts through the eviction subresource, which kubectl has no verb for", () => {
  expect(kubectl.evict(pod)).toBe(
    `echo '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web-1","namespace":"shop"}}' | ` +
      "kubectl create --raw /api/v1/namespaces/shop/pods/web-1/eviction -f -",
  );
});
