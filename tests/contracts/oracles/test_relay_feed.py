"""A market's own way to a shared feed: the source's answer until a round is pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.accounts import account

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

OPERATOR = account("operator").address
STRANGER = account("stranger").address
USD = 10**8


def relay_on(chain: Chain, source: Any) -> Any:
    return chain.deploy("RelayFeed", OPERATOR, source.address)


def test_it_says_what_its_source_says_round_by_round(chain: Chain, feeds: Any) -> None:
    source = feeds.push(2_000 * USD)
    relay = relay_on(chain, source)
    for price in (1_999, 1_500, 2_500):
        feeds.write(source, price * USD, after=7)
        assert chain.read(relay, "latestRoundData") == chain.read(source, "latestRoundData")
    for number in (1, 2, 4):
        assert chain.read(relay, "getRoundData", number) == chain.read(
            source, "getRoundData", number
        )
    assert chain.read(relay, "decimals") == 8
    assert chain.read(relay, "description") == chain.read(source, "description")
    with chain.reverts("NoDataPresent", 5):
        chain.read(relay, "getRoundData", 5)


def test_a_pinned_round_stands_whatever_the_source_says(chain: Chain, feeds: Any) -> None:
    source = feeds.push(2_000 * USD)
    relay, other = relay_on(chain, source), relay_on(chain, source)
    chain.send(OPERATOR, relay, "pin", 17, 1_234 * USD, 999)
    feeds.write(source, 1_000 * USD)
    assert chain.read(relay, "latestRoundData") == (17, 1_234 * USD, 999, 999, 17)
    assert chain.read(relay, "getRoundData", 17)[1] == 1_234 * USD
    with chain.reverts("NoDataPresent", 1):
        chain.read(relay, "getRoundData", 1)
    assert feeds.answer(other) == 1_000 * USD  # another market's relay is not concerned


def test_zero_and_negative_answers_are_pinned_as_they_are(chain: Chain, feeds: Any) -> None:
    relay = relay_on(chain, feeds.push(2_000 * USD))
    for answer in (0, -5):
        chain.send(OPERATOR, relay, "pin", 3, answer, 10)
        assert feeds.answer(relay) == answer


def test_only_the_operator_pins_and_only_what_fits(chain: Chain, feeds: Any) -> None:
    relay = relay_on(chain, feeds.push(2_000 * USD))
    with chain.reverts("NotOperator", STRANGER):
        chain.send(STRANGER, relay, "pin", 1, USD, 1)
    with chain.reverts("AnswerTooLarge", 1 << 191):
        chain.send(OPERATOR, relay, "pin", 1, 1 << 191, 1)
    assert feeds.answer(relay) == 2_000 * USD
