"""Mail that stays in memory: the reference."""

from attrs import evolve, field, frozen

from commerce_core.base.errors import Unreachable
from commerce_core.ports.mail import Letter


@frozen
class MemoryMail:
    """Implements `commerce_core.ports.mail.Mail`; `letters` are those that were sent.

    Recipients in `refuses` are refused, as a server does whose mailbox is gone.
    """

    refuses: frozenset[str] = frozenset()
    letters: list[Letter] = field(factory=list[Letter], init=False)

    @property
    def is_set_up(self) -> bool:
        """True."""
        return True

    def send(self, letter: Letter) -> frozenset[str]:
        """Keeps the letter."""
        refused = self.refuses.intersection(letter.recipients)
        if len(refused) == len(letter.recipients):
            raise Unreachable("All recipients are refused.", code="mail_refused")
        self.letters.append(evolve(letter, subject=" ".join(letter.subject.split())))
        return refused
