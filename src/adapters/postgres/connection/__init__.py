"""What every statement stands on: connections, errors, timeouts, locks, rows, documents."""
