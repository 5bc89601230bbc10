"""What every test runs under."""

import os

import pytest
from hypothesis import settings

# Contracts are written once and run over every adapter; their asserts explain themselves too.
pytest.register_assert_rewrite("tests.contracts")

# `ci` finds the same examples each time. `dev` looks for new ones, and keeps those that failed.
settings.register_profile("ci", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
