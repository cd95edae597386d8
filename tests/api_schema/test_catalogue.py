"""The catalogue as a value: what a new one shares with the one before, and what it says of defined kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.catalogue.columns import steps_of
from homeostat.api.catalogue.conversions import convert
from homeostat.api.catalogue.definition import Version
from homeostat.api.catalogue.discovered import described
from homeostat.api.kinds import POD
from homeostat.api.openapi.openapi_documents import Documents
from homeostat.api.shape.structural import Misshapen, conform
from homeostat.apiserver.describe.discovery import aggregated
from tests.support.crontabs import CATALOGUE, CRONTABS, GROUP, MOONS, V1, crontab

BUILTIN = Catalogue.builtin()
CRONTAB = CATALOGUE.by_kind("CronTab")


def test_a_new_catalogue_shares_what_did_not_change():
    more = CATALOGUE.with_definitions((CRONTABS, MOONS))
    assert more.resource(CRONTAB) is CATALOGUE.resource(CRONTAB)
    assert more.resource(POD) is CATALOGUE.resource(POD) is BUILTIN.resource(POD)
    assert more.with_definitions((CRONTABS, replace(MOONS))) is more
    assert more.changed(CATALOGUE) == {f"/registry/{GROUP}/moons/"}
    assert more.with_definitions(()) is BUILTIN
    assert CATALOGUE.derived(Documents).v3("apis/apps/v1") is BUILTIN.derived(Documents).v3("apis/apps/v1")
    changed = CATALOGUE.with_definitions((replace(CRONTABS, short_names=("cron",)),))
    assert changed.by_name("cron") is not None
    assert changed.by_name("ct") is None
    with pytest.raises(KeyError):
        changed.resource(CRONTAB)


def test_the_catalogue_from_before_does_not_change():
    assert BUILTIN.by_kind("CronTab") is None
    assert GROUP not in BUILTIN.groups
    assert BUILTIN.by_resource(GROUP, "v1", "crontabs") is None
    assert len(BUILTIN.kinds) == 68


def test_what_is_derived_is_made_once_and_dies_with_the_catalogue():
    asked = []

    def names(catalogue):
        asked.append(catalogue)
        return [kind.kind for kind in catalogue.kinds]

    catalogue = BUILTIN.with_definitions((MOONS,))
    assert catalogue.derived(names) is catalogue.derived(names)
    assert "Moon" not in BUILTIN.with_definitions((CRONTABS,)).derived(names)
    assert len(asked) == 2


def test_versions_of_one_resource_share_its_home_and_the_preferred_one_is_first():
    old = Version("v1alpha1", stored=False)
    catalogue = BUILTIN.with_definitions((replace(CRONTABS, versions=(old, V1, Version("v2beta1", stored=False))),))
    assert catalogue.groups[GROUP] == ("v1", "v2beta1", "v1alpha1")
    assert catalogue.by_kind("CronTab").version == "v1"
    first = catalogue.by_kind("CronTab", f"{GROUP}/v1alpha1")
    assert first.home is catalogue.by_kind("CronTab", f"{GROUP}/v1")
    assert convert({"apiVersion": f"{GROUP}/v1", "spec": {"a": 1}}, first)["apiVersion"] == f"{GROUP}/v1alpha1"
    assert [kind.version for kind in catalogue.stored_kinds() if kind.group == GROUP] == ["v1"]


def test_an_unserved_version_is_stored_and_not_found():
    versions = (Version("v2", stored=False), Version("v1", served=False))
    catalogue = BUILTIN.with_definitions((replace(CRONTABS, versions=versions),))
    assert catalogue.by_resource(GROUP, "v1", "crontabs") is None
    kind = catalogue.by_resource(GROUP, "v2", "crontabs")
    assert kind.home.version == "v1"
    assert catalogue.resource(kind.home) is not catalogue.resource(kind)
    assert catalogue.stored_kinds()[-1] is kind


@pytest.mark.parametrize(
    "definitions",
    [
        (CRONTABS, replace(CRONTABS, kind="Other")),
        (CRONTABS, replace(CRONTABS, plural="others")),
        (replace(CRONTABS, group="apps"),),
        (replace(CRONTABS, versions=(Version("v1", stored=False),)),),
    ],
)
def test_what_cannot_be_a_catalogue_is_refused(definitions):
    with pytest.raises(ValueError, match=r"crontabs|others"):
        BUILTIN.with_definitions(definitions)


def test_an_object_of_a_defined_kind_is_pruned_and_defaulted_by_its_schema():
    obj = crontab("a", free={"any": {"thing": 1}}, more=1, steps=[{"run": "x", "walk": 2}, 5])
    resource = CATALOGUE.resource(CRONTAB)
    found = conform(resource, obj, field_validation="Warn")
    resource.apply_defaults(obj)
    assert sorted(found.problems) == ['unknown field "spec.more"', 'unknown field "spec.steps[0].walk"']
    kept = {"image": "app", "free": {"any": {"thing": 1}}, "steps": [{"run": "x"}, 5], "replicas": 1}
    assert obj["spec"] == kept
    with pytest.raises(Misshapen, match=r"json: cannot unmarshal"):
        conform(resource, crontab("a", metadata={"labels": {"a": 1}}))
    with pytest.raises(Misshapen, match=r"strict decoding error: unknown field"):
        conform(resource, crontab("a", more=1), field_validation="Strict")


@pytest.mark.parametrize("path", [".spec.a[?(@.b==1)]", "spec", ".spec..a", ".spec[*]"])
def test_a_json_path_that_is_not_recognised_is_refused_by_name(path):
    with pytest.raises(ValueError, match="is not supported"):
        steps_of(path)


def test_discovery_describes_the_catalogue_to_clients():
    served = BUILTIN.with_definitions((CRONTABS, MOONS))
    document = aggregated(served, [group for group in served.groups if group], "v2")
    known = described(document, BUILTIN)
    for kind in served.kinds:
        same = known.by_resource(kind.group, kind.version, kind.plural)
        assert same == kind or kind.custom
        assert (same.kind, same.namespaced, same.verbs, same.subresources, same.short_names) == (
            kind.kind,
            kind.namespaced,
            kind.verbs,
            kind.subresources,
            kind.short_names,
        )
    assert described(document, known) is known
