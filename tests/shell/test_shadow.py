"""An ACCEPT behind a DROP: when the node's shell explains, and when it keeps quiet (GUIDE.md, section 3)."""

from __future__ import annotations

import pytest

from homeostat.shell.shadowed_rules import explanation, read, removal, shadowed

DROP = "-A OUTPUT -p tcp -m tcp --dport 443 -j DROP"
ACCEPT = "-A OUTPUT -p tcp -m tcp --dport 443 -j ACCEPT"

HIDDEN = {
    "the guide's pair": [DROP, ACCEPT],
    "a REJECT counts as well": [
        "-A OUTPUT -p tcp -m tcp --dport 443 -j REJECT --reject-with icmp-port-unreachable",
        ACCEPT,
    ],
    "a DROP of everything": ["-A OUTPUT -j DROP", ACCEPT],
    "a DROP of all TCP": ["-A OUTPUT -p tcp -j DROP", ACCEPT],
    "rules between them": [DROP, "-A OUTPUT -p udp -j ACCEPT", ACCEPT],
    "a wider network": [
        "-A OUTPUT -d 10.0.0.0/8 -j DROP",
        "-A OUTPUT -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j ACCEPT",
    ],
    "the same with a negation": ["-A OUTPUT ! -d 10.0.0.1/32 -j DROP", "-A OUTPUT ! -d 10.0.0.1/32 -j ACCEPT"],
}
WORKS = {
    "no DROP at all": [ACCEPT],
    "a DROP of another port": ["-A OUTPUT -p tcp -m tcp --dport 80 -j DROP", ACCEPT],
    "a DROP in another chain": ["-A INPUT -p tcp -m tcp --dport 443 -j DROP", ACCEPT],
    "a narrower DROP": ["-A OUTPUT -d 10.0.0.1/32 -p tcp -m tcp --dport 443 -j DROP", ACCEPT],
    "an ACCEPT already before the DROP": [ACCEPT, DROP, ACCEPT],
    "a negation is another match": ["-A OUTPUT ! -d 10.0.0.1/32 -j DROP", "-A OUTPUT -d 10.0.0.1/32 -j ACCEPT"],
    "a narrower network": ["-A OUTPUT -d 10.96.0.0/16 -j DROP", "-A OUTPUT -d 10.0.0.0/8 -j ACCEPT"],
    "a DROP that was appended": [ACCEPT, DROP],
    "a jump is not followed": ["-A OUTPUT -j KUBE-SERVICES", ACCEPT],
}


@pytest.mark.parametrize("rules", HIDDEN.values(), ids=HIDDEN)
def test_an_accept_that_can_never_match_is_noticed(rules: list[str]) -> None:
    found = shadowed(rules, rules[-1])
    assert [rule.target for rule in found] in (["DROP"], ["REJECT"])


@pytest.mark.parametrize("rules", WORKS.values(), ids=WORKS)
def test_one_that_works_is_not(rules: list[str]) -> None:
    assert shadowed(rules, rules[-1]) == []


def test_every_drop_before_it_is_named() -> None:
    assert len(shadowed([DROP, DROP, ACCEPT], ACCEPT)) == 2


def test_the_command_that_clears_it_is_the_one_a_person_types() -> None:
    (drop,) = shadowed([DROP, ACCEPT], ACCEPT)
    assert removal(drop) == "iptables -D OUTPUT -p tcp --dport 443 -j DROP"
    assert removal(drop, tool="iptables-nft", table="mangle").startswith("iptables-nft -t mangle -D OUTPUT")


def test_words_with_spaces_stay_one_word() -> None:
    rule = read('-A OUTPUT -m comment --comment "cut the API" -j DROP')
    assert rule is not None
    assert removal(rule) == "iptables -D OUTPUT -m comment --comment 'cut the API' -j DROP"


def test_the_explanation_says_what_matches_first_and_what_to_type() -> None:
    text = explanation(shadowed([DROP, ACCEPT], ACCEPT))
    assert "first rule that matches" in text
    assert "DROP" in text and "OUTPUT" in text
    assert text.endswith("    iptables -D OUTPUT -p tcp --dport 443 -j DROP")


def test_long_options_and_other_orders_are_the_same_rule() -> None:
    typed = read("--append OUTPUT --protocol tcp --jump DROP --destination-port 443")
    listed = read(DROP)
    assert typed is not None and listed is not None
    assert (typed.chain, typed.matches, typed.target) == (listed.chain, listed.matches, listed.target)


def test_what_appends_nothing_is_no_rule() -> None:
    assert read("-P INPUT ACCEPT") is None
    assert read("-N KUBE-SERVICES") is None
