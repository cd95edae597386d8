"""resource.Quantity and Go durations: exact, canonical, and refused when they are not one."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api import durations, quantity


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("0", "0"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.1", "100m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1024", "1024"),
        ("1000k", "1M"),
        ("12e6", "12e6"),
        ("1E", "1E"),
        ("1e3", "1e3"),
        ("-1.5", "-1500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("0.1Ki", "102400m"),  # less than 1024 is shown in decimal notation
        ("0.1n", "1n"),  # finer than nano is rounded away from zero
        ("100u", "100u"),
        ("2Ei", "2Ei"),
    ],
)
def test_the_canonical_form(written, canonical):
    assert quantity.canonical(written) == canonical


@pytest.mark.parametrize("text", ["", "x", "1x", "1 Gi", "Gi", "1KiB", "--1", "1e", "1e99999", "1mi", "٣", "9" * 5000])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(quantity.QuantityError):
        quantity.parse(text)


def test_cpu_rounds_up_to_thousandths_and_memory_to_bytes():
    assert quantity.cpu_milli("100m") == 100
    assert quantity.cpu_milli("2") == 2000
    assert quantity.cpu_milli(0.1) == 100
    assert quantity.cpu_milli("1u") == 1
    assert quantity.bytes_value("64Mi") == 64 * 1024 * 1024
    assert quantity.bytes_value("1m") == 1
    assert quantity.bytes_value(7) == 7
    with pytest.raises(quantity.QuantityError):
        quantity.of(True)


def test_texts_from_numbers():
    assert quantity.from_milli(1500) == "1500m"
    assert quantity.from_milli(2000) == "2"
    assert quantity.from_bytes(64 * 1024 * 1024) == "64Mi"
    assert quantity.from_bytes(1000) == "1k"


def test_sums_keep_the_notation_of_the_first():
    total = quantity.parse("0") + quantity.parse("1Gi") + quantity.parse("512Mi")
    assert str(total) == "1536Mi"
    assert str(total - quantity.parse("512Mi")) == "1Gi"
    assert quantity.parse("100m") < quantity.parse("1") <= quantity.parse("1000m")


SUFFIXES = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)}
SUFFIXES |= {suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", 1)}
SUFFIXES |= {f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", 1)}


@given(st.integers(-(10**9), 10**9), st.integers(0, 999), st.sampled_from(sorted(SUFFIXES)))
def test_parsing_is_exact_and_the_canonical_form_means_the_same(whole, thousandths, suffix):
    text = f"{whole}.{thousandths:03d}{suffix}"
    sign = -1 if whole < 0 or text.startswith("-") else 1
    exact = sign * (abs(whole) + Fraction(thousandths, 1000)) * SUFFIXES[suffix] * 10**9
    parsed = quantity.parse(text)
    assert abs(parsed.nanos) >= abs(exact) > abs(parsed.nanos) - 1
    canonical = str(parsed)
    assert quantity.parse(canonical).nanos == parsed.nanos
    assert str(quantity.parse(canonical)) == canonical
    assert "." not in canonical


@pytest.mark.parametrize(
    ("text", "seconds", "printed"),
    [
        ("0", 0, "0s"),
        ("300ms", 0.3, "300ms"),
        ("1h2m3.5s", 3723.5, "1h2m3.5s"),
        ("1.5h", 5400, "1h30m0s"),
        ("90s", 90, "1m30s"),
        ("-5s", -5, "-5s"),
        ("10us", 1e-5, "10µs"),
        ("1ns", 1e-9, "1ns"),
    ],
)
def test_go_durations(text, seconds, printed):
    assert durations.parse(text) == pytest.approx(seconds)
    assert durations.format(durations.parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("x", 'time: invalid duration "x"'),
        ("5", 'time: missing unit in duration "5"'),
        ("5q", 'time: unknown unit "q" in duration "5q"'),
        ("1h5", 'time: missing unit in duration "1h5"'),
    ],
)
def test_a_bad_duration_is_refused_in_gos_words(text, message):
    with pytest.raises(durations.DurationError) as problem:
        durations.parse(text)
    assert str(problem.value) == message


@given(st.integers(-(10**18), 10**18))
def test_a_printed_duration_reads_back_to_the_nanosecond(nanoseconds):
    assert durations.parse_nanoseconds(durations.format_nanoseconds(nanoseconds)) == nanoseconds
