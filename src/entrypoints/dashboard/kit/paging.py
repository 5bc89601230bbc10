"""Where a list begins, in the addresses of pages."""

from attrs import frozen

from entrypoints.reading import optional


@frozen(kw_only=True, slots=False)
class Paging:
    """Where a list begins."""

    cursor: str | None = optional(None, "Where the page begins.")
