"""Calls of servers of others: judged and pinned addresses, one deadline over all of a call."""
