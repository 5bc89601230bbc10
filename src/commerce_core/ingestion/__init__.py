"""How a job runs: claim, read, plan, judge, apply; and how it is reverted or replayed."""
