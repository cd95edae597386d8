"""Rules for names, in apimachinery's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api import names

LONG = "a" * 254


@pytest.mark.parametrize("name", ["a", "web-1", "a.b-c.d", "0", "a" * 253])
def test_good_subdomains(name):
    assert names.dns1123_subdomain(name) == []


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a..b", "a_b", "a b", ".a", "a\n", "é"])
def test_bad_subdomains(name):
    (problem,) = names.dns1123_subdomain(name)
    assert problem.startswith("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters")
    assert "(e.g. 'example.com', regex used for validation is '" in problem


def test_names_have_an_end():
    assert names.dns1123_subdomain(LONG) == ["must be no more than 253 bytes"]
    assert names.dns1123_label("a" * 64) == ["must be no more than 63 bytes"]
    assert names.dns1035_label("a" * 64) == ["must be no more than 63 bytes"]
    assert names.label_value("a" * 64) == ["must be no more than 63 bytes"]
    assert names.qualified_name("a" * 64) == ["name part must be no more than 63 bytes"]


def test_a_label_has_no_dots_and_a_1035_label_no_leading_digit():
    assert names.dns1123_label("1a") == []
    assert names.dns1123_label("a.b") == ["must not contain dots"]
    assert names.dns1035_label("a1") == []
    assert names.dns1035_label("1a")[0].startswith("a DNS-1035 label must consist of")


@pytest.mark.parametrize("name", ["a", "App", "a_b.c-d", "example.com/name", "a.b/C"])
def test_good_qualified_names(name):
    assert names.qualified_name(name) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "name part must be non-empty"),
        ("/a", "prefix part must be non-empty"),
        ("a/", "name part must be non-empty"),
        ("A.com/a", "prefix part a lowercase RFC 1123 subdomain"),
        ("a/b/c", "a qualified name must consist of"),
        ("-a", "name part must consist of"),
    ],
)
def test_bad_qualified_names(name, problem):
    assert names.qualified_name(name)[0].startswith(problem)


def test_label_values_may_be_empty():
    assert names.label_value("") == []
    assert names.label_value("a.B_c-1") == []
    assert names.label_value("-a")[0].startswith("a valid label must be an empty string or consist of")


def test_names_of_roles_only_have_to_fit_a_path():
    assert names.path_segment("system:node:a b") == []
    assert names.path_segment("a/b") == ["may not contain '/'"]
    assert names.path_segment("..") == ["may not be '..'"]
    assert names.path_segment("50%") == ["may not contain '%'"]
    assert names.for_prefix(names.path_segment)("..") == []


def test_a_generated_name_keeps_its_prefix_within_a_label():
    assert names.generated("web-", "abcde") == "web-abcde"
    assert len(names.generated("x" * 100, "abcde")) == 63
    prefix = names.for_prefix(names.dns1123_label)
    assert prefix("web-") == []
    assert prefix("-web-") != []


def test_ports_keys_and_variables():
    assert names.port_name("http") == names.port_name("a-1") == []
    assert names.port_name("1") == ["must contain at least one letter (a-z)"]
    assert names.port_name("a--b") == ["must not contain consecutive hyphens"]
    assert names.port_name("-a") == ["must not begin or end with a hyphen"]
    assert names.port_name("a" * 16) == ["must be no more than 15 bytes"]
    assert names.port_number(0) == names.port_number(65536) == ["must be between 1 and 65535, inclusive"]
    assert names.config_key("a.b_C-1") == []
    assert names.config_key("..") == ["must not be '..'"]
    assert names.config_key("..a") == ["must not start with '..'"]
    assert names.config_key("a/b")[0].startswith("a valid config key must consist of")
    assert names.env_name("my.var-1") == names.env_name("1A") == []
    assert names.env_name("a=b")[0].startswith("a valid environment variable name must consist only of printable")
    assert names.percent("50%") == []
    assert names.percent("50") != []
    assert names.http_header("X-Name") == []
    assert names.http_header("X Name") != []
    assert names.wildcard_subdomain("*.a.b") == []
    assert names.wildcard_subdomain("*a.b") != []


@given(st.text(max_size=70))
def test_a_label_is_always_a_subdomain_and_a_label_value(text):
    if not names.dns1123_label(text):
        assert names.dns1123_subdomain(text) == []
        assert names.label_value(text) == []
        assert names.path_segment(text) == []


def test_a_megabyte_of_name_is_answered_at_once():
    assert len(names.dns1123_subdomain("a." * 500_000)) == 2
    assert len(names.qualified_name("a" * 1_000_000)) == 1
