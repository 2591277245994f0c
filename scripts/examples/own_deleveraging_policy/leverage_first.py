"""What a scenario names as ``policy = "leverage_first:LeverageFirst"``."""

from pathlib import Path

from harness.contracts import Contract, load_artifact
from harness.scenario import ClearingHouse
from harness.setup import Setup

COMPILED = Path(__file__).with_name("LeverageFirst.json")


class LeverageFirst:
    def deploy(self, setup: Setup, house: ClearingHouse) -> Contract:
        return setup.deploy("LeverageFirst", compiled=load_artifact(COMPILED, "LeverageFirst"))
