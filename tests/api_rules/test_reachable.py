"""Which addresses may be connected to on behalf of others, in every form that an address has."""

import pytest

from homeostat.api import reachable

GOOD = "10.1.2.3 192.168.1.1 100.64.0.1 fd00::1 2001:db8::1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1"
OWN = "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::7f00:1"
OWN += " 2002:7f00:1:: ::ffff:0:127.0.0.1 0.0.0.0 :: ::ffff:0.0.0.0"
ODD = "fe80::1 fe80::1%lo 169.254.169.254 ::ffff:169.254.169.254 224.0.0.1 ff02::1 255.255.255.255 0.1.2.3"
NONE = ["", "0", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "127.0.0.1 ", "[::1]", "1.2.3.4:80"]


@pytest.mark.parametrize("text", GOOD.split())
def test_an_address_on_a_network_is_reached(text):
    address = reachable.address_of(text)
    assert address is not None and reachable.is_global(address) and not reachable.is_loopback(address)


@pytest.mark.parametrize("text", OWN.split())
def test_no_form_of_the_own_machine_is_reached(text):
    address = reachable.address_of(text)
    assert address is not None and not reachable.is_global(address) and reachable.is_loopback(address)


@pytest.mark.parametrize("text", ODD.split())
def test_links_and_groups_are_not_reached(text):
    address = reachable.address_of(text)
    assert address is not None and not reachable.is_global(address)


@pytest.mark.parametrize("text", NONE)
def test_only_an_address_is_one(text):
    assert reachable.address_of(text) is None


def test_plain_processes_have_addresses_of_the_loopback_network():
    allowed = [
        text for text in (*OWN.split(), *ODD.split()) if reachable.is_global(reachable.address_of(text), loopback=True)
    ]
    assert allowed == ["127.9.9.9"]
