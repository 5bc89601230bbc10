"""`commerce views`: the filters of the dashboard's lists, under names."""

from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun

if TYPE_CHECKING:
    from commerce_core.partners.saved_view import PageName, SavedView

views: Final = noun("views", "Save filters of the dashboard's lists under names.")
_PAGES: Final = (
    "inbox", "feeds", "jobs", "failures", "products", "orders", "analytics", "best_sellers",
    "hours", "refunds", "rule_costs", "statements", "alerts",
)  # fmt: skip


class _Filter(click.ParamType[tuple[str, str]]):
    """A filter's name and value, such as status=held."""

    name = "filter"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not a filter such as status=held.", param, ctx)
        return name, text


def _filters(help_: str) -> Any:  # noqa: ANN401 - a decorator
    return click.option(
        "--filter", "filters", type=_Filter(), multiple=True, metavar="NAME=VALUE", help=help_
    )


@views.verb("add", scope="partners:read")
@click.argument("page", type=click.Choice(_PAGES))
@click.argument("name")
@_filters("A filter as in the page's address, such as status=held; repeatable.")
def add(
    session: Session, page: "PageName", name: str, filters: tuple[tuple[str, str], ...]
) -> None:
    """Save the filters of a list under a name, for all operators."""
    added = session.commerce.saved_views.add(page, name, dict(filters))
    session.out.one(added, lambda: _fields(added))


@views.verb("list", scope="partners:read")
@click.option("--page", type=click.Choice(_PAGES), help="Only views of this list.")
@limit_option
def list_(session: Session, page: "PageName | None", limit: int | None) -> None:
    """List the views that operators share, newest first."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[SavedView]] = [
        Column("id", lambda v: v.view_id),
        Column("page", lambda v: v.page),
        Column("name", lambda v: v.view_name, crops=True),
        Column("filters", _written, crops=True),
    ]
    found = session.commerce.saved_views.list(page)
    session.out.many(found, columns, limit, "There are no saved views.")


@views.verb("show", scope="partners:read")
@click.argument("view")
def show(session: Session, view: str) -> None:
    """Show a view."""
    found = session.commerce.saved_views.get(view)
    session.out.one(found, lambda: _fields(found))


@views.verb("set", scope="partners:read")
@click.argument("view")
@click.option("--name", "view_name", help="New name.")
@_filters("A filter, to replace all previous ones; repeatable.")
def set_(
    session: Session, view: str, view_name: str | None, filters: tuple[tuple[str, str], ...]
) -> None:
    """Rename a view, or replace its filters."""
    if view_name is None and not filters:
        raise click.UsageError("Specify at least one option.", click.get_current_context())
    changed = session.commerce.saved_views.change(
        view, view_name=view_name, filters=dict(filters) or None
    )
    session.out.one(changed, lambda: _fields(changed))


@views.verb("remove", scope="partners:read")
@click.argument("view")
def remove(session: Session, view: str) -> None:
    """Remove a view."""
    removed = session.commerce.saved_views.remove(view)
    session.out.one(removed, lambda: _fields(removed))


def _written(view: "SavedView") -> str:
    return " ".join(f"{name}={value}" for name, value in view.filters.items())


def _fields(view: "SavedView") -> list[tuple[str, str]]:
    return [
        ("id", view.view_id),
        ("page", view.page),
        ("name", view.view_name),
        ("filters", _written(view)),
    ]
