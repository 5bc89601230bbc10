"""The sales ledger, and the reports computed from it."""
