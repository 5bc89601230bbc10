"""Health: whether the database and the files can be used."""

from collections.abc import Mapping

from attrs import frozen

from commerce_core.base.errors import Unavailable
from commerce_core.usecases.context import Context


@frozen
class Health:
    """Whether every part can be used now."""

    _context: Context

    def parts(self) -> Mapping[str, str]:
        """Every part, with `ok` or what is wrong with it."""
        return {name: error.detail if error else "ok" for name, error in self.check().items()}

    def check(self) -> Mapping[str, Unavailable | None]:
        """Every part, with the error that it raises, if any."""
        parts = {"database": self._context.store.check, "files": self._context.files.check}
        found: dict[str, Unavailable | None] = {}
        for name, check in parts.items():
            try:
                check()
                found[name] = None
            except Unavailable as error:
                found[name] = error
        return found
