"""Time zones: a name means the same zone on every machine, or is refused."""

import struct
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

import commerce_core
from commerce_core.base.calendar import iana_zone
from commerce_core.base.errors import InvalidInput
from commerce_core.commerce import Commerce

BAD = ["", "Mars", "europe", "../UTC", "localtime", "posixrules", "right/UTC", "posix/Europe/Rome"]
"""No names of zones, or files beside them that differ between machines."""
_UTC: Final = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + bytes(6) + b"UTC\0"


@pytest.fixture(autouse=True)
def files_of_a_machine(tmp_path: Path) -> Iterator[None]:
    """A machine with files beside its zones."""
    for name in BAD[4:]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_UTC)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(tmp_path), *before])
    yield
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache(only_keys=BAD[4:])


@pytest.mark.parametrize("name", ["UTC", "Europe/Rome", "America/Argentina/Ushuaia", "Etc/GMT-14"])
def test_a_zone_is_found_by_its_iana_name(name: str) -> None:
    found = iana_zone(name)
    assert found is not None
    assert found.key == name


@pytest.mark.parametrize("name", BAD)
def test_names_that_do_not_mean_the_same_everywhere_are_none(name: str) -> None:
    assert iana_zone(name) is None


_ASKED: dict[str, Callable[[Commerce, str], object]] = {
    "add": lambda c, zone: c.partners.add("Lumen", currency="EUR", time_zone=zone),
    "change": lambda c, zone: c.partners.change("Acme", time_zone=zone),
    "report": lambda c, zone: c.analytics.summary(tz=zone),
}


@pytest.mark.parametrize("zone", BAD[1:])
@pytest.mark.parametrize("ask", _ASKED.values(), ids=_ASKED.keys())
def test_they_are_refused_wherever_a_zone_is_named(
    ask: Callable[[Commerce, str], object], zone: str
) -> None:
    with commerce_core.connect("memory:", "memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        with pytest.raises(InvalidInput) as refused:
            ask(commerce, zone)
    assert [fault.code for fault in refused.value.faults] == ["unknown_time_zone"]


def test_a_partner_that_has_such_a_zone_since_before_is_read() -> None:
    with commerce_core.connect("memory:", "memory:") as commerce:
        acme = commerce.partners.add("Acme", currency="EUR")
    assert evolve(acme, time_zone="localtime").time_zone == "localtime"
