"""Tests, laid out as the code is. `contracts` hold what all adapters promise, `support` helps."""
