"""The HTTP API: it translates requests to use cases and answers back, and decides nothing."""
