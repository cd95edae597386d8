"""Properties of any rule, any template and any number."""

from __future__ import annotations

import json
import shlex
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat.lab.processes.process_title import title_bytes
from homeostat.shell import shadowed_rules
from homeostat.shell.command_flags import Flag, parse, switches
from homeostat.shell.command_flags import texts as text_flags
from homeostat.shell.docker.go_template import Template
from homeostat.shell.engine import formats
from homeostat.shell.tool_error import ToolError

# A busy machine says nothing about a property.
calm = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
MATCHES = {
    "-p": ["tcp", "udp"],
    "-s": ["10.0.0.0/8", "10.96.0.0/16", "10.96.0.1/32", "172.30.0.0/24"],
    "-d": ["10.0.0.0/8", "10.244.3.0/24"],
    "-i": ["eth0"],
    "--dport": ["80", "443", "30000:32767"],
    "--ctstate": ["NEW", "RELATED,ESTABLISHED"],
}
TARGETS = ["ACCEPT", "DROP", "REJECT", "LOG", "KUBE-SERVICES"]


@st.composite
def rules(draw: st.DrawFn, target: str | None = None) -> str:
    words = ["-A", draw(st.sampled_from(["INPUT", "OUTPUT"]))]
    for option in draw(st.lists(st.sampled_from(sorted(MATCHES)), unique=True)):
        words += ["!"] if draw(st.integers(0, 5)) == 0 else []
        words += [option, draw(st.sampled_from(MATCHES[option]))]
    return shlex.join([*words, "-j", target or draw(st.sampled_from(TARGETS))])


def known(line: str) -> shadowed_rules.Rule:
    rule = shadowed_rules.read(line)
    assert rule is not None
    return rule


@calm
@given(rules())
def test_a_rule_covers_itself_and_whatever_asks_for_more(line: str) -> None:
    rule = known(line)
    assert shadowed_rules.covers(rule, rule)
    more = known(line.replace(" -j ", " -m comment --comment x -j "))
    assert shadowed_rules.covers(rule, more)
    assert not shadowed_rules.covers(more, rule)


@calm
@given(rules(), rules(), rules())
def test_covering_carries_over(one: str, two: str, three: str) -> None:
    first, second, third = known(one), known(two), known(three)
    if shadowed_rules.covers(first, second) and shadowed_rules.covers(second, third):
        assert shadowed_rules.covers(first, third)


@calm
@given(st.lists(rules(), max_size=6), rules(target="ACCEPT"))
def test_only_drops_before_it_in_its_own_chain_are_named(before: list[str], new: str) -> None:
    found = shadowed_rules.shadowed([*before, new], new)
    chains = {rule.chain for rule in found}
    assert chains <= {known(new).chain}
    assert all(rule.target in ("DROP", "REJECT") for rule in found)
    assert all(rule in [known(line) for line in before] for rule in found)


@calm
@given(st.lists(rules(), max_size=6), rules(target="ACCEPT"))
def test_without_those_that_are_named_it_works(before: list[str], new: str) -> None:
    """The rules that a person is advised to delete are enough."""
    found = shadowed_rules.shadowed([*before, new], new)
    kept = [line for line in before if known(line) not in found]
    assert shadowed_rules.shadowed([*kept, new], new) == []


@calm
@given(rules(target="DROP"))
def test_the_command_to_delete_names_the_same_rule(line: str) -> None:
    rule = known(line)
    command = shlex.split(shadowed_rules.removal(rule))
    assert command[:2] == ["iptables", "-D"]
    again = known(shlex.join(["-A", *command[2:]]))
    assert (again.chain, again.matches, again.target) == (rule.chain, rule.matches, rule.target)


PLAIN = st.text(alphabet=st.characters(exclude_characters="{}", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@calm
@given(PLAIN)
def test_a_text_without_actions_is_itself(text: str) -> None:
    assert Template(text).render({}) == text


@calm
@given(VALUES)
def test_json_prints_what_it_was_given(value: Any) -> None:
    assert json.loads(Template("{{json .}}").render(value)) == value


@calm
@given(st.text(max_size=20))
def test_a_quoted_text_comes_out_as_it_was(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert Template("{{" + quoted + "}}").render(None) == text


@calm
@given(st.text(alphabet='{}.-"`|() $:=abx1\\\n', max_size=24))
def test_any_text_is_a_template_or_refused_in_words(text: str) -> None:
    try:
        Template(text).render({"a": {"b": [1]}})
    except ToolError as refused:
        assert refused.text.startswith(("template parsing error: ", "failed to execute template: "))


@calm
@given(st.floats(0, 1e10), st.floats(0, 1e10))
def test_a_longer_time_never_reads_as_one_with_a_smaller_unit(one: float, two: float) -> None:
    names = ["second", "minute", "hour", "day", "week", "month", "year"]

    def rank(seconds: float) -> int:
        return max(place for place, name in enumerate(names) if name in formats.human_duration(seconds))

    assert rank(min(one, two)) <= rank(max(one, two))


@calm
@given(st.integers(0, 10**15))
def test_sizes_have_a_unit_and_at_most_four_digits(size: int) -> None:
    written = formats.human_size(size)
    number = written.rstrip("kMGTPB")
    assert len(number.replace(".", "")) <= 4 or number == "1e+03"
    assert written.endswith("B")


@calm
@given(st.integers(1, 4_000_000_000 * 10**9))
def test_a_time_survives_being_written(nanoseconds: int) -> None:
    assert abs(formats.parse_go_time(formats.go_time(nanoseconds)) - nanoseconds / 1e9) < 1e-5


WORD = st.text(alphabet="abcxyz=-", min_size=1, max_size=6)


@calm
@given(st.lists(WORD))
def test_after_two_dashes_every_word_is_literal(words: list[str]) -> None:
    line = parse(["-a", "--", *words], [*switches("all/a"), *text_flags("name/n")])
    assert line.words == words
    assert line.on("all")


@calm
@given(st.lists(st.tuples(st.booleans(), st.text(max_size=6))))
def test_a_flag_that_may_be_repeated_keeps_every_value(given: list[tuple[bool, str]]) -> None:
    argv = [word for long, value in given for word in ([f"--filter={value}"] if long else ["-f", value])]
    assert parse(argv, [Flag("filter", "f", "list")]).all("filter") == [value for _, value in given]


@calm
@given(st.lists(WORD), st.sets(st.sampled_from("aq")))
def test_any_command_line_is_read_or_refused_in_words(words: list[str], letters: set[str]) -> None:
    try:
        parse([*words, "-" + "".join(letters)] if letters else words, [*switches("all/a", "quiet/q")])
    except ToolError as refused:
        assert refused.code == 125 and refused.text


@calm
@given(
    st.lists(st.binary(min_size=1, max_size=12).filter(lambda word: 0 not in word), min_size=1),
    st.integers(1, 60),
    st.integers(0, 60),
)
def test_a_title_fits_its_room_and_ends_with_a_zero(words: list[bytes], arguments: int, more: int) -> None:
    made = title_bytes(words, arguments, arguments + more)
    assert len(made) in (arguments, arguments + more)
    assert made.endswith(b"\0")
    shown = made.rstrip(b"\0").replace(b"\0", b" ")
    assert b" ".join(words).startswith(shown)
