"""The promises, as tests. A package, so that `tests.strategies` and `tests.contracts` have names."""
