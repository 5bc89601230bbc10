"""On how many examples a property is tried: some in the gate, all if asked for."""

from typing import Final

from hypothesis import HealthCheck, settings

ALL: Final = 100
"""What Hypothesis tries where a property asks for no other number."""
SOME: Final = 20
ANY_PACE: Final = (HealthCheck.too_slow,)
"""How long examples take to make depends on what else the machine does: that is no fault."""
ONE_FIXTURE: Final = (*ANY_PACE, HealthCheck.function_scoped_fixture)
"""All examples of a property may share what its fixtures made."""


def scaled(count: int) -> int:
    """So many in the profile that tries all; in another its share of that."""
    return max(3, count * settings().max_examples // ALL)
