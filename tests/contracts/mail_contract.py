"""What mail promises: a letter arrives as it was written, and nothing can be slipped into it."""

from collections.abc import Callable, Sequence

import pytest
from attrs import define, evolve

from commerce_core.base.errors import Unreachable
from commerce_core.ports.mail import Letter, Mail
from tests.contracts.samples import T0

LETTER = Letter(
    "alrt_0199c2f4a1b07e3d8c215f60a9d2b4c7",
    ("one@example.com", "other@example.com"),
    "[critical] A feed failed",
    "A feed failed.\n\n  since  2026-01-01 12:00 UTC\n.\nSchöne Grüße \U0001f511\n",
    T0,
)
GONE = "gone@example.com"


@define
class PostOffice:
    """What is tested, and the letters that have arrived."""

    mail: Mail
    arrived: Callable[[], Sequence[Letter]]
    """The letters with the recipients to whom they were delivered; GONE is no mailbox."""


class TestMail:
    def test_a_letter_arrives_as_it_was_written(self, office: PostOffice):
        assert office.mail.is_set_up
        assert office.mail.send(LETTER) == frozenset()
        assert list(office.arrived()) == [LETTER]

    def test_a_letter_that_is_sent_twice_has_the_same_id(self, office: PostOffice):
        for _ in range(2):
            office.mail.send(LETTER)
        assert [letter.message_id for letter in office.arrived()] == [LETTER.message_id] * 2

    def test_recipients_that_are_refused_are_returned(self, office: PostOffice):
        """The others get the letter."""
        both = evolve(LETTER, recipients=("one@example.com", GONE))
        assert office.mail.send(both) == {GONE}
        (letter,) = office.arrived()
        assert letter.message_id == LETTER.message_id

    def test_a_letter_that_nobody_may_get_is_refused(self, office: PostOffice):
        with pytest.raises(Unreachable) as refusal:
            office.mail.send(evolve(LETTER, recipients=(GONE,)))
        assert refusal.value.code == "mail_refused"
        assert list(office.arrived()) == []

    @pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028"])
    def test_a_subject_adds_no_header(self, office: PostOffice, line_break: str):
        """Line breaks of any kind become blanks."""
        subject = f"A feed failed{line_break}Bcc: thief@example.com"
        office.mail.send(evolve(LETTER, subject=subject))
        (letter,) = office.arrived()
        assert letter.subject == "A feed failed Bcc: thief@example.com"
        assert letter.recipients == LETTER.recipients
