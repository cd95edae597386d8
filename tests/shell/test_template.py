"""Go templates as `--format` takes them: what they print, and what is refused in docker's words (text/template)."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.shell.docker.go_template import HEADING_FUNCTIONS, Row, Template
from homeostat.shell.tool_error import ToolError

STATE = {
    "State": {"Running": True, "Pid": 12, "Error": None},
    "Args": ["a", "b"],
    "Labels": {"y": "2", "x": "1"},
    "N": 0.5,
}

PRINTS = {
    "{{.State.Pid}}": "12",
    "{{ .State.Running }}/{{.Args}}/{{.Labels}}/{{.N}}": "true/[a b]/map[x:1 y:2]/0.5",
    "{{.State.Error}}": "<no value>",
    "{{json .Args}} {{json .State}}": '["a","b"] {"Running":true,"Pid":12,"Error":null}',
    '{{index .Labels "x"}}{{index .Args 1}}{{index .Labels "none"}}': "1b",
    "{{len .Args}} {{slice .Args 1}} {{(index .Args 0)}}": "2 [b] a",
    '{{join .Args ", "}} {{upper "x"}} {{"ABC" | lower}} {{truncate "abcdef" 3}} {{title "on"}}': "a, b X abc abc On",
    '{{printf "%-4s|%5d|%q|%v|%.1f|%%" "ab" 7 "z" .Args .N}}': 'ab  |    7|"z"|[a b]|0.5|%',
    '{{split "a:b" ":"}}{{pad "x" 1 2}}.': "[a b] x  .",
    "{{if .State.Running}}up{{else}}down{{end}}": "up",
    '{{if eq .State.Pid 1}}one{{else if eq .State.Pid 2 12}}twelve{{else}}other{{end}}': "twelve",
    "{{if and .State.Running (gt .State.Pid 5) (not .State.Error)}}yes{{end}}": "yes",
    "{{range .Args}}<{{.}}>{{end}}": "<a><b>",
    "{{range $i, $a := .Args}}{{$i}}{{$a}} {{end}}": "0a 1b ",
    "{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}": "x=1;y=2;",
    "{{range .State.Error}}x{{else}}none{{end}}": "none",
    "{{with .State}}{{.Pid}} {{$.N}}{{end}}{{with .State.Error}}x{{else}}-{{end}}": "12 0.5-",
    "{{$p := .State.Pid}}pid {{$p}}": "pid 12",
    "a  {{- /* said */ -}}  b {{- .N }}": "ab0.5",
    '{{"quoted \\"x\\" }}"}} {{`raw\\n`}}': 'quoted "x" }} raw\\n',
    "no action": "no action",
    '{{or .State.Error "else"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{ge 1 2}}': "else true true true false",
    '{{println "a" 1}}{{print "b" "c"}}': "a 1\nbc",
}  # fmt: skip
REFUSED = {
    "{{.State": "unclosed action",
    "{{nosuch .}}": 'function "nosuch" not defined',
    "{{end}}": "unexpected {{end}}",
    "{{if .N}}": "unexpected EOF",
    "{{}}": "missing value for command",
    "{{if}}x{{end}}": "missing value for if",
    "{{(.N}}": "unclosed left paren",
    "{{.N ~}}": 'unexpected "~"',
    "{{$x}}": 'undefined variable "$x"',
    '{{template "x"}}': "{{template}} is not supported",
    "{{.Nix}}": 'at <.Nix>: map has no entry for key "Nix"',
    "{{.N.Deep}}": "can't evaluate field Deep in type float64",
    "{{.State.Error.Deep}}": "nil pointer evaluating",
    "{{index .Args 7}}": "error calling index",
    "{{.N 1}}": "",
}


@pytest.mark.parametrize("form", PRINTS)
def test_what_a_template_prints(form: str) -> None:
    assert Template(form).render(STATE) == PRINTS[form]


@pytest.mark.parametrize("form", [form for form, why in REFUSED.items() if why])
def test_what_is_refused_and_why(form: str) -> None:
    with pytest.raises(ToolError) as refused:
        Template(form).render(STATE)
    assert REFUSED[form] in refused.value.text
    assert refused.value.text.startswith(("template parsing error: template: :1: ", "failed to execute template: "))


def row(**fields: Any) -> Row:
    return Row(fields, kind="ContainerContext")


def test_a_field_of_a_row_is_computed_only_when_it_is_asked_for() -> None:
    asked = []
    line = row(ID=lambda: "abc", Status=lambda: asked.append(1))
    assert Template("{{.ID}}").render(line) == "abc"
    assert asked == []


def test_a_row_names_its_type_when_a_field_is_unknown() -> None:
    with pytest.raises(ToolError, match=r"can't evaluate field Nix in type \*formatter.ContainerContext"):
        Template("{{.Nix}}").render(row(ID=lambda: "abc"))


def test_a_field_with_an_argument() -> None:
    line = row(Label=lambda key: f"<{key}>")
    assert Template('{{.Label "app"}}').render(line) == "<app>"
    with pytest.raises(ToolError, match="wrong number of args for Label: got 0"):
        Template("{{.Label}}").render(line)


def test_a_row_as_json_has_every_plain_field() -> None:
    assert Template("{{json .}}").render(row(B=lambda: 1, A=lambda: "x", Label=lambda key: key)) == '{"A":"x","B":1}'


def test_headings_pass_through_functions_unchanged() -> None:
    names = row(ID=lambda: "CONTAINER ID")
    assert Template("{{truncate .ID 4}} {{lower .ID}} {{json .ID}}", HEADING_FUNCTIONS).render(names) == (
        "CONTAINER ID CONTAINER ID CONTAINER ID"
    )
