"""The ledger of sales, and the reports folded from it."""
