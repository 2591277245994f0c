"""The policy keeps what every policy has to keep.

pytest scripts/examples/own_deleveraging_policy
"""

from harness.testing.deleveraging_conformance import DeleveragingConformance


class TestLeverageFirst(DeleveragingConformance):
    policy = "leverage_first:LeverageFirst"
