"""Schema nodes: merge keys, types and prose, wherever a type is used."""

from homeostat.api import facts
from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import CRD, DEPLOYMENT, POD, SERVICE
from homeostat.api.shape.schema import schema_of


def test_containers_merge_by_name_and_ports_by_number():
    containers = schema_of(DEPLOYMENT).at("spec", "template", "spec", "containers")
    assert (containers.type, containers.patch_strategy, containers.patch_merge_key) == ("array", ("merge",), "name")
    assert containers.list_map_keys == ("name",)
    ports = schema_of(SERVICE).at("spec", "ports")
    assert (ports.patch_merge_key, ports.list_map_keys) == ("port", ("port", "protocol"))


def test_a_strategy_may_say_two_things():
    volumes = schema_of(POD).at("spec", "volumes")
    assert volumes.patch_strategy == ("merge", "retainKeys")


def test_scalars_have_their_formats():
    pod = schema_of(POD)
    assert pod.at("spec", "terminationGracePeriodSeconds").format == "int64"
    assert pod.at("spec", "containers", "resources", "limits", "cpu").is_quantity
    assert pod.at("spec", "containers", "livenessProbe", "httpGet", "port").is_int_or_string
    assert pod.at("metadata", "creationTimestamp").format == "date-time"
    assert pod.at("spec", "nowhere") is None


def test_nodes_of_one_type_are_shared_between_kinds():
    in_template = schema_of(DEPLOYMENT).at("spec", "template", "spec")
    assert in_template.properties is schema_of(POD).at("spec").properties


def test_free_form_places_are_marked():
    assert schema_of(POD).at("metadata", "managedFields", "fieldsV1").preserve_unknown
    assert not schema_of(POD).at("spec").preserve_unknown
    assert schema_of(CRD).at("spec", "versions", "schema", "openAPIV3Schema", "default").preserve_unknown


def test_a_field_has_its_own_prose():
    assert schema_of(DEPLOYMENT).at("spec", "replicas").description.startswith("Number of desired pods.")
    assert schema_of(POD).description.startswith("Pod is a collection of containers")


def test_every_place_of_every_kind_has_a_known_type():
    known = {"object", "array", "string", "integer", "number", "boolean", ""}
    seen = set()
    todo = [schema_of(kind) for kind in Catalogue.builtin().kinds]
    while todo:
        place = todo.pop()
        assert place.type in known
        if place.definition in seen:
            continue
        seen.add(place.definition or id(place))
        todo += [*place.properties.values(), *(inner for inner in (place.items, place.values) if inner)]
    assert len(seen) > 400


def test_the_packages_changes_are_undone():
    """kubernetes-validate allows null in optional fields and adds enums of kinds; the published schema does not."""
    for definition in facts.definitions().values():
        for node in (definition, *definition.get("properties", {}).values()):
            assert isinstance(node.get("type", ""), str)
            assert not isinstance(node.get("enum"), list)
