"""Reads feeds with polars, whole columns at a time: what `commerce_core` says record by record."""

from adapters.polars_feeds.engine import PolarsEngine

__all__ = ["PolarsEngine"]
