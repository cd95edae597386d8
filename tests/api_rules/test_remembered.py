"""What was valid once is recognised when it is repeated; mistakes are reported each time."""

from homeostat.api.kinds import POD
from homeostat.api.shape.remembered import Remembered, text_of
from homeostat.api.validation import validate_create
from homeostat.api.validation.podspec.pods import check_pod_spec


def spec(**fields):
    container = {"name": "c", "image": "i", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}
    return {"containers": [container], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", **fields}


def test_a_mistake_is_reported_each_time_under_its_own_path():
    for _ in range(2):
        for path in ("spec", "template.spec"):
            causes = []
            check_pod_spec(spec(restartPolicy="Sometimes"), path, causes)
            assert [cause.field for cause in causes] == [f"{path}.restartPolicy"]
            check_pod_spec(spec(), path, causes)
            assert len(causes) == 1


def test_mistakes_beside_a_valid_spec_are_reported():
    for name in ("good", "Not Good"):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec()}
        assert [cause.field for cause in validate_create(POD, pod)] == ([] if name == "good" else ["metadata.name"])


def test_only_so_much_is_remembered():
    known = Remembered()
    for number in range(300):
        known.add(b"%d" % number)
    assert b"299" in known and b"100" in known and b"0" not in known
    known.add(text_of({"a": "x" * 20_000}))
    known.add(text_of({"a": 1 << 70}))
    assert b"" not in known and b"299" in known
