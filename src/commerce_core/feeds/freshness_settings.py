"""What is declared about a source's files: when they come, when not, and how old they may be."""

from datetime import date, datetime, timedelta
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from attrs import frozen

from commerce_core.base.calendar import WEEKDAYS, Weekday, find_zone
from commerce_core.base.durations import duration_text
from commerce_core.base.errors import Fault, InvalidInput, refuse_if
from commerce_core.feeds.schedule import LONGEST_ZONE, Schedule

SHORTEST_EVERY: Final = timedelta(minutes=5)
LONGEST_EVERY: Final = timedelta(days=366)
LONGEST_GRACE: Final = timedelta(days=30)
MOST_DAYS_OFF: Final = 400
"""How many dates can be declared as days off."""
SHORTEST_SELLING: Final = timedelta(hours=1)
LONGEST_SELLING: Final = timedelta(days=366)
"""The limits of how old products may become before they are no longer sold."""
_NONE: Final = timedelta()


@frozen
class Expected:
    """What is declared about a source's files: when they come, and when they don't.

    `cron` is when one is expected, or `every` how often. Without either, the schedule by which the
    source is fetched, or its history, supplies that. `grace` is how long after that a file is late;
    None: a quarter of the interval, from five minutes to one hour. `time_zone` is the zone of
    `cron` and of the days off; None: that of the schedule, or the partner's. On `weekdays_off` and
    `dates_off` no file is expected.
    """

    IDENTITY: ClassVar = (
        "Expected(cron={0.cron!r}, every={0.every!r}, time_zone={0.time_zone!r}, "
        "grace={0.grace!r}, weekdays_off={0.weekdays_off!r}, dates_off={0.dates_off!r})"
    )
    cron: str | None = None
    every: timedelta | None = None
    time_zone: str | None = None
    grace: timedelta | None = None
    weekdays_off: tuple[Weekday, ...] = ()
    dates_off: tuple[date, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Checks all of it; InvalidInput lists every fault at once."""
        if self.cron is not None:
            _checked_schedule(self.cron, self.time_zone or "UTC")
        elif self.time_zone is not None and not _is_zone(self.time_zone):
            raise _bad_zone()
        refuse_if(
            "What is expected of the source isn't valid.",
            (
                self.cron is not None and self.every is not None,
                Fault("/expected/every", "bad_every", "Use either cron or every."),
            ),
            _range_fault("every", self.every, SHORTEST_EVERY, LONGEST_EVERY),
            _range_fault("grace", self.grace, _NONE, LONGEST_GRACE),
            (
                set(self.weekdays_off) >= set(WEEKDAYS)
                or len(set(self.weekdays_off)) != len(self.weekdays_off)
                or not set(self.weekdays_off) <= set(WEEKDAYS),
                Fault(
                    "/expected/weekdays_off",
                    "bad_weekdays",
                    "Use up to six of mon, tue, wed, thu, fri, sat and sun, each once.",
                ),
            ),
            (
                len(self.dates_off) > MOST_DAYS_OFF,
                Fault("/expected/dates_off", "too_many", f"Use at most {MOST_DAYS_OFF} dates."),
            ),
        )

    @property
    def declares_arrivals(self) -> bool:
        """Whether it declares when files come, beside when they don't."""
        return self.cron is not None or self.every is not None

    def is_off(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether the moment lies on a day off."""
        day = at.astimezone(zone).date()
        return day in self.dates_off or WEEKDAYS[day.weekday()] in self.weekdays_off


def _range_fault(
    name: str, value: timedelta | None, least: timedelta, most: timedelta
) -> tuple[bool, Fault]:
    detail = f"Use a duration from {duration_text(least)} to {duration_text(most)}."
    bad = value is not None and not (least <= value <= most and value.microseconds == 0)
    return bad, Fault(f"/expected/{name}", f"bad_{name}", detail)


def selling_fault(value: timedelta | None) -> tuple[bool, Fault]:
    """The fault of a limit to the age of products, if it is one."""
    least, most = SHORTEST_SELLING, LONGEST_SELLING
    detail = f"Use a duration from {duration_text(least)} to {duration_text(most)}, or none."
    bad = value is not None and not (least <= value <= most and value.microseconds == 0)
    return bad, Fault("/stop_selling_after", "bad_duration", detail)


def _checked_schedule(cron: str, zone: str) -> Schedule:
    try:
        return Schedule(cron, zone)
    except InvalidInput as error:
        faults = [
            Fault(f"/expected{fault.pointer}", fault.code, fault.detail) for fault in error.faults
        ]
        raise InvalidInput(error.detail, faults=faults) from error


def _is_zone(name: str) -> bool:
    return len(name) <= LONGEST_ZONE and find_zone(name) is not None


def _bad_zone() -> InvalidInput:
    detail = "Use the name of a time zone, such as Europe/Berlin."
    return InvalidInput.at("/expected/time_zone", "bad_time_zone", detail)


NOTHING_DECLARED: Final = Expected()
