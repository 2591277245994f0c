"""What every remedy has to keep; subclass it and give the remedy.

class TestMine(MitigationConformance):
def make(self):
return MyRemedy()
"""

from __future__ import annotations

from harness.mitigations import Mitigation, Stage
from harness.scenario import Scenario, checked, dump_scenario, load_scenario, parse_scenario

__all__ = ["MitigationConformance"]


class MitigationConformance:
    """The rules of a remedy: a change of data that leaves its argument alone and can be run."""

    #: Scenarios the remedy is applied to.
    scenarios: tuple[str, ...] = ("black-thursday", "calm", "stuck-feed")

    def make(self) -> Mitigation:
        """The remedy under test."""
        raise NotImplementedError

    def _each(self) -> list[tuple[Scenario, Scenario]]:
        loaded = [load_scenario(name) for name in self.scenarios]
        return [(scenario, self.make().apply(scenario)) for scenario in loaded]

    def test_it_has_a_name_a_title_and_a_stage(self) -> None:
        remedy = self.make()
        assert remedy.name
        assert "," not in remedy.name
        assert "+" not in remedy.name
        assert remedy.title
        assert remedy.stage in Stage

    def test_it_leaves_its_argument_alone(self) -> None:
        for name in self.scenarios:
            scenario = load_scenario(name)
            before = dump_scenario(scenario)
            self.make().apply(scenario)
            assert dump_scenario(scenario) == before

    def test_the_remedied_scenario_is_valid_and_survives_its_file(self) -> None:
        for _, remedied in self._each():
            assert parse_scenario(dump_scenario(checked(remedied))) == remedied

    def test_it_gives_the_same_scenario_every_time(self) -> None:
        for scenario, remedied in self._each():
            assert self.make().apply(scenario) == remedied

    def test_clock_prices_and_name_stay(self) -> None:
        for scenario, remedied in self._each():
            assert remedied.name == scenario.name
            assert remedied.clock == scenario.clock
            assert [a.price for a in remedied.assets] == [a.price for a in scenario.assets]
