"""The world lens: one call says what the single views say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WORD = 1 << 256
RAY = 10**27


def test_one_read_is_what_the_single_views_say(chain: Chain) -> None:
    eth, usdc = chain.token("ETH", 18), chain.token("USDC", 6)
    reporter, trader = chain.address("reporter"), chain.address("trader")
    lens = chain.deploy("WorldLens")
    feeds = [chain.deploy("PushFeed", reporter, 8, f"feed {i}") for i in range(3)]
    chain.send(reporter, feeds[0], "transmit", 2000 * 10**8)
    chain.send(reporter, feeds[1], "transmit", -5, after=100)
    chain.send(reporter, feeds[1], "transmit", -6, after=100)
    markets = []
    for fee in (0, 500):
        args = (eth.address, usdc.address, reporter, 10**21, RAY, fee, 2000 * 10**8)
        market = chain.deploy("ExternalMarket", *args)
        for token in (eth, usdc):
            chain.mint(token, market.address, 10**24)
            chain.mint(token, trader, 10**24)
            chain.approve(trader, token, market)
        markets.append(market)
    chain.send(trader, markets[0], "sell", 10**20, 0, trader)
    chain.send(trader, markets[1], "buy", 10**11, 0, trader)
    pools = [chain.pool(eth, usdc, 10**21 + i, 2 * 10**12 + i) for i in range(2)]

    addresses = [[c.address for c in group] for group in (markets, feeds, pools)]
    words = chain.read(lens, "read", *addresses)

    expected = []
    for market in markets:
        expected += [chain.read(market, v) for v in ("price", "fundamental", "displacement")]
    for feed in feeds[:2]:
        round_id, answer, _, updated, _ = chain.read(feed, "latestRoundData")
        expected += [answer, round_id, updated]
    expected += [0, 0, 0]  # the third feed has nothing to say
    for pool in pools:
        expected += chain.reserves(pool)
    assert words == tuple(value % WORD for value in expected)
    assert expected[2] > 0 > expected[5]
    assert expected[9] == -6
    raw = chain.engine.call(lens.address, lens.encode("read", *addresses))
    assert len(raw) == 32 * (2 + 3 * 2 + 3 * 3 + 2 * 2)


def test_balances_of_a_token_and_of_a_fee_ledger(chain: Chain) -> None:
    token = chain.token("WETH")
    lens = chain.deploy("WorldLens")
    ledger = chain.deploy(
        "FeeLedger", token.address, chain.address("builder"), chain.address("collector")
    )
    people = [chain.address("person", i) for i in range(5)]
    for i, person in enumerate(people):
        chain.mint(token, person, 1000 * i)
        chain.approve(person, token, ledger)
        chain.send(person, ledger, "deposit", person, i)
    assert chain.read(lens, "balances", token.address, people) == tuple(999 * i for i in range(5))
    assert chain.read(lens, "balances", ledger.address, people) == tuple(range(5))
    assert chain.read(lens, "balances", token.address, []) == ()
