"""The promises, as tests. A package, so that what they share has a name: `tests.strategies`."""
