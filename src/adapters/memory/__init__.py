"""A store and a place for files in the memory of one process: the readable half of the reference.

State is a handful of dicts of immutable values under one lock. A unit holds the lock for as long as
it lasts, so units never meet; a journal of what each write replaced undoes the unit that fails.

    store         the lock, units of work, who is notified of what was written
    tables        all that is kept, and the journal of the unit under way
    pages         pages of rows, and which rows a query asks for
    partners, sources, feeds, jobs, products, publications, versions, reverting, orders, chronicle
                  the collections of the unit of work, by noun
    files         the place for files
"""

from adapters.memory.files import MemoryFiles
from adapters.memory.store import MemoryStore

__all__ = ["MemoryFiles", "MemoryStore"]
