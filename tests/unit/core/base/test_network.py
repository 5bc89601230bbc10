"""Which addresses may be called: no spelling of a private one, and no mixture with one."""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import LONGEST_URL, Reach, Target, next_hop

REACH = Reach()
INSIDE = Reach((ip_network("10.1.0.0/16"), ip_network("fd00::/8")), ((9000, 9100),))

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.192",
    "198.18.0.1", "224.0.0.1", "255.255.255.255", "203.0.113.9",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1", "fe80::1", "fec0::1",
    "fd00:ec2::254", "fc00::1", "ff02::1", "2001:db8::1", "3fff::1", "5f00::1",
]  # fmt: skip
PUBLIC = [
    "93.184.216.34", "1.1.1.1", "100.128.0.1", "172.32.0.1", "192.0.3.1", "2606:4700::1111",
    "2a00:1450::1", "64:ff9b::101:101", "2002:101:101::1", "::ffff:1.1.1.1",
]  # fmt: skip
SPELLINGS = [
    "https://0x7f000001/", "https://2130706433/", "https://127.1/", "https://0177.0.0.1/",
    "https://127.0.0.1./", "https://0x7f.1/", "https://0/", "https://1.2.3.4.5/",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_and_special_addresses_are_refused(address: str):
    """When stored, and when a name resolves to one."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InvalidInput) as refusal:
        REACH.target(f"https://{host}/")
    assert refusal.value.faults[0].code == "address_refused"
    with pytest.raises(Unreachable) as at_use:
        REACH.judge("partner.example", [address])
    assert at_use.value.code == "address_refused"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str):
    host = f"[{address}]" if ":" in address else address
    assert REACH.target(f"https://{host}/").address == ip_address(address)
    assert REACH.judge("partner.example", [address]) == address


@pytest.mark.parametrize("url", SPELLINGS)
def test_other_spellings_of_numbers_are_no_names(url: str):
    with pytest.raises(InvalidInput) as refusal:
        REACH.target(url)
    assert refusal.value.faults[0].code == "address_refused"


def test_a_mixed_answer_is_refused_wherever_the_private_one_stands():
    for addresses in (["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"], ["1.1.1.1", "fe80::1%1"]):
        with pytest.raises(Unreachable):
            REACH.judge("partner.example", addresses)


def test_a_name_without_an_address_is_unresolved():
    with pytest.raises(Unreachable) as refusal:
        REACH.judge("partner.example", [])
    assert refusal.value.code == "unresolved"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "scheme_refused"),
        ("gopher://partner.example/", "scheme_refused"),
        ("partner.example/feed.csv", "scheme_refused"),
        ("https://anna:secret@partner.example/", "url_credentials"),
        ("https://partner.example@127.0.0.1/", "url_credentials"),
        ("https://partner.example:25/", "port_refused"),
        ("https://partner.example:6379/", "port_refused"),
        ("https://partner.example:99999/", "bad_url"),
        ("https:///feed.csv", "bad_url"),
        ("https://partner..example/", "bad_url"),
        ("https://part ner.example/", "bad_url"),
        ("https://partner.example\\@127.0.0.1/", "bad_url"),
        ("https://p\u00e4rtner.example/", "bad_url"),
        ("https://[::1/", "bad_url"),
        ("https://partner.example/\r\nX: y", "bad_url"),
        ("https://partner.example/" + "x" * LONGEST_URL, "bad_url"),
    ],
)
def test_urls_that_name_no_server_of_others_are_refused(url: str, code: str):
    with pytest.raises(InvalidInput) as refusal:
        REACH.target(url)
    assert refusal.value.faults[0].code == code


def test_a_url_of_the_longest_length_is_taken():
    start = "https://partner.example/"
    assert REACH.target(start + "x" * (LONGEST_URL - len(start))).host == "partner.example"


def test_a_url_names_server_port_and_path():
    target = REACH.target("https://Partner.Example:8443/a/b.csv?day=1#part")
    assert target == Target("https", "partner.example", 8443, "/a/b.csv?day=1")
    assert target.url == "https://partner.example:8443/a/b.csv?day=1"
    assert REACH.target("https://[2606:4700::1111]").url == "https://[2606:4700::1111]/"


def test_a_setting_allows_private_networks_and_further_ports():
    assert INSIDE.judge("wms.internal", ["10.1.2.3"]) == "10.1.2.3"
    assert INSIDE.judge("wms.internal", ["::ffff:10.1.2.3"]) == "::ffff:10.1.2.3"
    assert INSIDE.target("http://10.1.2.3:9000/").port == 9000
    for refused in ("10.2.0.1", "2002:a01:203::1"):
        with pytest.raises(Unreachable):
            INSIDE.judge("wms.internal", [refused])
    with pytest.raises(InvalidInput):
        INSIDE.target("https://partner.example:9101/")


def test_plain_http_is_for_named_networks_alone():
    with pytest.raises(Unreachable, match="encrypted"):
        INSIDE.judge("partner.example", ["1.1.1.1"], "http")
    assert INSIDE.judge("wms.internal", ["10.1.2.3"], "http")


@given(st.ip_addresses(v=4))
def test_every_form_of_an_ipv4_address_is_judged_as_it_is(address: IPv4Address):
    """Mapped, NAT64 and 6to4 of it are refused exactly if the address is."""
    packed = int(address)
    forms = [
        f"::ffff:{address}",
        str(ip_address(int(ip_address("64:ff9b::")) | packed)),
        str(ip_address((0x2002 << 112) | packed << 80)),
    ]
    assert {may(form) for form in forms} == {may(str(address))}


def may(address: str) -> bool:
    try:
        REACH.judge("partner.example", [address])
    except Unreachable:
        return False
    return True


def test_a_redirect_is_relative_to_what_redirected():
    target = REACH.target("https://partner.example/a/b")
    assert next_hop(target, 302, "../c") == "https://partner.example/c"
    assert next_hop(target, 307, "//169.254.169.254/") == "https://169.254.169.254/"
    assert next_hop(target, 302, None) is None
    assert next_hop(target, 304, "/x") is None
