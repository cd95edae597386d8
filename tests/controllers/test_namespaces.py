"""Namespaces are furnished when they come and emptied when they go (pkg/controller/namespace, serviceaccount)."""

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, EVENT, NAMESPACE, POD, SECRET, SERVICEACCOUNT
from homeostat.controllers.ownership import namespace, namespace_defaults
from tests.support.controlling import Bench, obj, pod


def space(name="team"):
    return obj("v1", "Namespace", name, namespace="", spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})


def item(kind, name, **metadata):
    return obj("v1", kind, name, namespace="team", metadata=metadata)


def bench(*objects, graceful=False):
    return Bench([namespace.loop()], objects, graceful=graceful)


def conditions(world):
    return {c["type"]: (c["status"], c["reason"]) for c in meta.conditions(world.need(NAMESPACE, "team"))}


def test_an_active_namespace_is_left_alone():
    world = bench(space(), item("Secret", "s"))
    world.settle()
    assert world.writes == []


def test_everything_goes_then_the_namespace_itself():
    world = bench(space(), item("Secret", "s"), item("ConfigMap", "c"), item("Event", "e"), space("other"))
    world.put(obj("v1", "Secret", "theirs", namespace="other"))
    world.settle()
    world.delete(NAMESPACE, "team")
    world.advance(5)
    assert world.names(NAMESPACE) == ["other"]
    assert world.names(SECRET) == ["theirs"]
    assert world.all(CONFIGMAP) == world.all(EVENT) == []


def test_pods_go_first_and_get_their_time():
    slow = pod("slow", node="n1", metadata={"namespace": "team"})
    world = bench(space(), slow, item("Secret", "s"), graceful=True)
    world.delete(NAMESPACE, "team")
    world.advance(20)
    assert world.names(POD) == ["slow"]
    assert world.names(SECRET) == ["s"]
    assert conditions(world)["NamespaceContentRemaining"] == ("True", "SomeResourcesRemain")
    world.remove(POD, "slow", "team")
    world.settle()
    assert world.all(NAMESPACE) == world.all(SECRET) == []


def test_what_a_finalizer_holds_is_named_and_waited_for():
    world = bench(space(), item("ConfigMap", "held", finalizers=["example.com/held"]))
    world.delete(NAMESPACE, "team")
    world.advance(10)
    assert conditions(world)["NamespaceFinalizersRemaining"] == ("True", "SomeFinalizersRemain")
    message = meta.condition(world.need(NAMESPACE, "team"), "NamespaceFinalizersRemaining")["message"]
    assert message.endswith("example.com/held in 1 resource instances")
    world.remove(CONFIGMAP, "held", "team")
    world.settle()
    assert world.all(NAMESPACE) == []


def test_a_failed_deletion_is_reported():
    world = bench(space(), item("Secret", "s"))
    world.refuse = lambda action: (
        ApiError(500, "InternalError", "no") if type(action).__name__ == "DeleteCollection" else None
    )
    world.delete(NAMESPACE, "team")
    world.advance(2)
    assert conditions(world)["NamespaceDeletionContentFailure"] == ("True", "ContentDeletionFailed")
    world.refuse = lambda action: None
    world.advance(5)
    assert world.all(NAMESPACE) == []


def test_a_namespace_waits_for_finalizers_of_others():
    guarded = space()
    guarded["spec"]["finalizers"].append("example.com/audit")
    world = bench(guarded)
    world.delete(NAMESPACE, "team")
    world.advance(10)
    assert world.need(NAMESPACE, "team")["spec"]["finalizers"] == ["example.com/audit"]


def test_each_namespace_has_a_default_service_account_that_comes_back():
    world = Bench([namespace_defaults.service_account_loop()], [space()])
    world.settle()
    assert world.names(SERVICEACCOUNT, "team") == ["default"]
    world.remove(SERVICEACCOUNT, "default", "team")
    world.settle()
    assert world.names(SERVICEACCOUNT, "team") == ["default"]


def test_a_namespace_that_goes_gets_nothing_new():
    loops = [namespace_defaults.service_account_loop(), namespace_defaults.root_ca_loop("PEM")]
    going = space()
    going["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
    world = Bench(loops, [going])
    world.settle()
    assert world.writes == []


def test_each_namespace_has_the_certificate_and_a_changed_one_is_put_right():
    world = Bench([namespace_defaults.root_ca_loop("PEM")], [space()])
    world.settle()
    assert world.need(CONFIGMAP, "kube-root-ca.crt", "team")["data"] == {"ca.crt": "PEM"}
    world.change(CONFIGMAP, "kube-root-ca.crt", "team", lambda c: c.update(data={"ca.crt": "forged"}))
    world.settle()
    assert world.need(CONFIGMAP, "kube-root-ca.crt", "team")["data"] == {"ca.crt": "PEM"}
