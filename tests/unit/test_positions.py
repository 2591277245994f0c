"""Positions from files as users have them: tables of any columns, JSON, logs of events."""

import gzip
import json
import os
import random
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from harness.errors import ScenarioError
from harness.population import build_population
from harness.run import run
from harness.scenario import Positions, PositionTable, dump_scenario, load_scenario, parse_scenario
from harness.scenario._decode import decode_table
from harness.scenario.populations import Population
from harness.scenario.positions import load_positions, read_positions

LONG = "account,collateral_asset,collateral_amount,debt_asset,debt_amount\n"

MARKET = """
schema = 1
name = "table"
clock = { blocks = 30, seconds_per_block = 12, start = "2023-06-21T00:00:00Z" }
block_space = { fee_asset = "WSTETH" }

[[asset]]
symbol = "WSTETH"
start_price_usd = 1941.42
price = { process = "constant", shock = [{ at_s = 60, factor = 0.7, ramp_s = 60 }] }
external = { depth_2pct_usd = 5_000_000, half_life_s = 600 }
feed = { kind = "push" }

[[asset]]
symbol = "USDC"
decimals = 6
start_price_usd = 1
price = { process = "constant" }
external = { depth_2pct_usd = 50_000_000 }
feed = { kind = "push" }

[[venue]]
kind = "pool"
name = "pool"
base = "WSTETH"
quote = "USDC"
base_reserve = 5_000

[[venue]]
kind = "pooled-lending"
name = "aave"

[[venue.asset]]
symbol = "WSTETH"
ltv_bps = 6900
liquidation_threshold_bps = 8000
liquidation_bonus_bps = 700

[[venue.asset]]
symbol = "USDC"
supplied = 150_000_000

[[population]]
kind = "positions"
name = "users"
venue = "aave"

[[population.table]]
file = "FILE"
account = "user"
supplied = { WSTETH = "amount" }
borrowed = { USDC = "usdc" }
decimals = { usdc = 6 }

[[agent]]
kind = "liquidator"
name = "liquidator"
venue = "aave"
count = 3
capital = { USDC = 5_000_000 }
max_transactions = 5

[[agent]]
kind = "arbitrageur"
name = "arbitrageur"
pool = "pool"
capital_usd = 20_000_000
"""


def write(folder, text, name="u.csv"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def wide(file, **changes):
    fields = {
        "account": "user",
        "supplied": (("ETH", "amount"),),
        "borrowed": (("DAI", "dai"), ("USDC", "usdc")),
    }
    return PositionTable(str(file), **(fields | changes))


class TestTables:
    def test_columns_by_symbol(self, tmp_path):
        file = write(tmp_path, "n,user,amount,dai,usdc\n0,0xa,2.5,100,\n1,0xb,1,0,7\n")
        rows, notes = read_positions([wide(file)])
        assert [(row.account, row.supplied, row.borrowed) for row in rows] == [
            ("0xa", (("ETH", 2.5),), (("DAI", 100.0),)),
            ("0xb", (("ETH", 1.0),), (("USDC", 7.0),)),
        ]
        assert notes == ()

    def test_the_five_columns_without_any_mapping(self, tmp_path):
        file = write(tmp_path, LONG + "0xa,ETH,2,DAI,100\n0xb,ETH,1,,\n0xa,DAI,5,DAI,0.5\n")
        (first, second), _ = read_positions([PositionTable(str(file))])
        assert first.supplied == (("DAI", 5.0), ("ETH", 2.0))
        assert first.borrowed == (("DAI", 100.5),)
        assert (second.account, second.borrowed) == ("0xb", ())

    def test_base_units_lose_nothing_a_scenario_can_hold(self, tmp_path):
        cell = "98945667004297076138909"
        file = write(tmp_path, f"user,weth,usdc\n0xa,{cell},10148185570986.0\n0xb,5.82e+24,1\n")
        table = wide(
            file,
            supplied=(("ETH", "weth"),),
            borrowed=(("USDC", "usdc"),),
            decimals=(("weth", 18), ("usdc", 6)),
        )
        (first, second), _ = read_positions([table])
        assert first.supplied == (("ETH", float(Decimal(cell).scaleb(-18))),)
        assert first.borrowed == (("USDC", 10148185.570986),)
        assert second.supplied == (("ETH", 5.82e6),)

    def test_many_rows_add_up_exactly(self, tmp_path):
        # in floats, a hundred times 0.1 is 9.99999999999998
        rows = "".join("0xa,0.1,1e-18,123456789.123456789\n" for _ in range(100))
        file = write(tmp_path, "user,amount,dai,usdc\n" + rows)
        (row,), _ = read_positions([wide(file)])
        assert row.supplied == (("ETH", 10.0),)
        assert row.borrowed == (("DAI", 1e-16), ("USDC", 12345678912.3456789))

    def test_several_files_are_one_book(self, tmp_path):
        supplied = write(tmp_path, "user,amount\na,3\nb,4\n", "s.csv")
        borrowed = write(tmp_path, "who,dai\nb,9\nc,1\n", "b.csv")
        rows, _ = read_positions(
            [
                PositionTable(supplied.name, "user", supplied=(("ETH", "amount"),)),
                PositionTable(borrowed.name, "who", borrowed=(("DAI", "dai"),)),
            ],
            tmp_path,
        )
        assert [(row.account, len(row.supplied), len(row.borrowed)) for row in rows] == [
            ("a", 1, 0),
            ("b", 1, 1),
            ("c", 0, 1),
        ]

    def test_accounts_that_hold_nothing_are_counted(self, tmp_path):
        file = write(tmp_path, "user,amount,dai,usdc\na,1,0,0\nb,0,,0\nc,,,\n")
        rows, notes = read_positions([wide(file)])
        assert [row.account for row in rows] == ["a"]
        assert notes == ("2 of 3 accounts hold nothing and are left out",)

    def test_a_json_document(self, tmp_path):
        people = [
            {"user": {"id": "0xa"}, "collateral": "13.3", "debt": "20219.40704796984700653"},
            {"user": {"id": "0xb"}, "collateral": 1.25, "debt": None},
        ]
        text = json.dumps({"data": {"userStates": people}, "timestamp": "1706657099"})
        table = PositionTable(
            str(write(tmp_path, text, "u.json")),
            account="user.id",
            supplied=(("ETH", "collateral"),),
            borrowed=(("USD", "debt"),),
            records="data.userStates",
        )
        (first, second), _ = read_positions([table])
        assert (first.account, first.supplied) == ("0xa", (("ETH", 13.3),))
        assert first.borrowed == (("USD", 20219.40704796984700653),)
        assert (second.supplied, second.borrowed) == ((("ETH", 1.25),), ())

    @pytest.mark.parametrize(
        ("records", "where", "word"),
        [
            ("users", "", "an object with users, of the path users"),
            ("data.users", ": data", "an object with users, of the path data.users"),
            ("data.people.id", ": data: people", "an object with id"),
            ("data", ": data", "a list of objects"),
            ("", "", "a list of objects"),
        ],
    )
    def test_a_path_that_leads_nowhere(self, tmp_path, records, where, word):
        file = write(tmp_path, '{"data": {"people": [{"id": 1, "amount": 2}]}}', "u.json")
        with pytest.raises(ScenarioError) as caught:
            read_positions([PositionTable(str(file), "id", (("ETH", "amount"),), records=records)])
        assert caught.value.field == f"{file}{where}"
        assert word in caught.value.allowed

    def test_a_path_into_a_csv(self, tmp_path):
        file = write(tmp_path, "user,amount\na,1\n")
        with pytest.raises(ScenarioError, match=r"a \.json file"):
            read_positions([PositionTable(str(file), "user", (("ETH", "amount"),), records="x")])


class TestRefusals:
    @pytest.mark.parametrize(
        ("row", "where"),
        [
            ("a,ETH,x,DAI,1", ":3: collateral_amount"),
            ("a,ETH,-1,DAI,1", ":3: collateral_amount"),
            ("a,ETH,1e19,DAI,1", ":3: collateral_amount"),
            ("a,ETH,1e999,DAI,1", ":3: collateral_amount"),
            ("a,ETH,1_000,DAI,1", ":3: collateral_amount"),
            ('a,ETH,"1,000",DAI,1', ":3: collateral_amount"),
            ("a,ETH,1,DAI,nan", ":3: debt_amount"),
            ("a,ETH,1,DAI,inf", ":3: debt_amount"),
            ("a,ETH,1,DAI,\u0661", ":3: debt_amount"),
            ("a,,1,DAI,1", ":3: collateral_asset"),
            ("a,ETH,1,,1", ":3: debt_asset"),
            (" ,ETH,1,DAI,1", ":3: account"),
            ("a,ETH,1", ":3"),
        ],
    )
    def test_bad_rows_name_their_line(self, tmp_path, row, where):
        file = write(tmp_path, f"{LONG}z,ETH,1,,\n{row}\n")
        with pytest.raises(ScenarioError) as caught:
            read_positions([PositionTable(str(file))])
        assert caught.value.field == f"{file}{where}"
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize(
        ("changes", "where", "word"),
        [
            ({"account": "usr"}, "account", "amount, dai, usdc"),
            ({"supplied": (("ETH", "amont"),)}, "supplied.ETH", "a column of"),
            ({"borrowed": (("DAI", "--dai"),)}, "borrowed.DAI", "a column of"),
            ({"decimals": (("amont", 18),)}, "decimals", "amount, dai, usdc"),
            ({"decimals": (("user", 18),)}, "decimals", "amount, dai, usdc"),
            ({"time": "when"}, "time", "a column of"),
            ({"supplied": (), "borrowed": ()}, "", "a column of"),
        ],
    )
    def test_unknown_columns_are_named(self, tmp_path, changes, where, word):
        file = write(tmp_path, "user,amount,dai,usdc\na,1,0,0\n")
        with pytest.raises(ScenarioError) as caught:
            read_positions([wide(file, **changes)])
        assert caught.value.field == "positions.table[0]" + (f".{where}" if where else "")
        assert word in caught.value.allowed

    def test_columns_named_twice(self, tmp_path):
        file = write(tmp_path, "user,amount,dai,usdc,dai\na,1,0,0,5\n")
        with pytest.raises(ScenarioError, match="'dai': each column only once"):
            read_positions([wide(file)])

    def test_no_such_asset(self, tmp_path):
        write(tmp_path, "user,amount,usdc\na,1,0\n", "FILE")
        with pytest.raises(ScenarioError) as caught:
            parse_scenario(MARKET.replace("{ WSTETH =", "{ stETH ="), folder=tmp_path)
        assert caught.value.field == "population[0].table[0].supplied"
        assert caught.value.allowed.endswith("one of WSTETH, USDC")

    def test_rows_of_no_such_asset(self, tmp_path):
        file = write(tmp_path, LONG + "a,ETH,1,DAI,0.5\nb,ETH,1,EUR,0\nb,BTC,1,DAI,3\n")
        population = Positions("p", "aave", file="u.csv")
        with pytest.raises(ScenarioError, match="one of ETH, DAI") as caught:
            load_positions(population, tmp_path, "population[0]", ("ETH", "DAI"))
        assert caught.value.field == f"{file}:4: collateral_asset"

    def test_two_sources_of_positions(self, tmp_path):
        population = Positions("p", "aave", file="u.csv", tables=(PositionTable("u.csv"),))
        with pytest.raises(ScenarioError, match="only one of file, position and table"):
            load_positions(population, tmp_path, "population[0]", ("ETH",))

    def test_mutated_files_are_read_or_refused_but_never_crash(self, tmp_path):
        seed = 417
        print(f"seed {seed}")
        dice = random.Random(seed)
        table = "when,user,amount,dai,usdc\n" + "".join(
            f"2021-05-{day:02},0x{day % 3},{day}.5,{10**18 * day},\n" for day in range(1, 8)
        )
        people = [{"user": {"id": f"0x{i}"}, "debt": "5.25", "amount": i} for i in range(4)]
        files = {
            "u.csv": table,
            "u.json": json.dumps({"list": people}),
            "l.csv": LONG + "a,E,2,D,1",
        }
        tables = {
            "u.csv": wide("u.csv", decimals=(("dai", 18),), time="when"),
            "u.json": PositionTable(
                "u.json", "user.id", (("ETH", "amount"),), (("DAI", "debt"),), records="list"
            ),
            "l.csv": PositionTable("l.csv"),
        }
        read, refusals = 0, []
        for _ in range(1500):
            name = dice.choice(sorted(files))
            content = bytearray(files[name].encode())
            for _ in range(dice.randint(1, 3)):
                at = dice.randrange(len(content))
                choice = dice.random()
                if choice < 0.5:
                    content[at] = dice.choice(b'0123456789.,-e\n"\x00\xff {}[]:')
                elif choice < 0.8:
                    del content[at : at + dice.randint(1, 9)]
                else:
                    content[at:at] = content[at : at + dice.randint(1, 30)]
            (tmp_path / name).write_bytes(bytes(content))
            until = dice.choice([None, 1620172800]) if name == "u.csv" else None
            try:
                rows, _ = read_positions(
                    [tables[name]], tmp_path, until=until, negative=dice.choice(["refuse", "zero"])
                )
            except ScenarioError as error:
                refusals.append(str(error))
                continue
            read += 1
            for row in rows:
                assert all(0 < amount <= 1e18 for _, amount in (*row.supplied, *row.borrowed))
        assert read > 50
        assert all(len(refusal.splitlines()) == 1 for refusal in refusals)


class TestLogs:
    """Deposits and withdrawals, borrows and repayments, by time or by block."""

    deposits = "BLOCK,TIME,VAULT,ETH\n100,2021-05-01 00:00:00.000,7,10\n90,2021-04-01,8,5\n"
    withdrawals = "BLOCK,TIME,VAULT,ETH\n110,2021-05-02 00:00:01.000,7,-4\n95,2021-04-03,8,-5\n"
    borrows = "BLOCK,TIME,VAULT,DAI\n101,2021-05-01T12:00:00Z,7,1000\n91,2021-04-01,8,300\n"
    repayments = "BLOCK,TIME,VAULT,PAID\n94,2021-04-02,8,300.25\n120,2021-06-01,7,200\n"

    def tables(self, folder, time="TIME"):
        for name in ("deposits", "withdrawals", "borrows", "repayments"):
            write(folder, getattr(self, name), f"{name}.csv")
        eth, dai, paid = (("ETH", "ETH"),), (("DAI", "DAI"),), (("DAI", "-PAID"),)
        return [
            PositionTable("deposits.csv", "VAULT", supplied=eth, time=time),
            PositionTable("withdrawals.csv", "VAULT", supplied=eth, time=time),
            PositionTable("borrows.csv", "VAULT", borrowed=dai, time=time),
            PositionTable("repayments.csv", "VAULT", borrowed=paid, time=time),
        ]

    @pytest.mark.parametrize(
        ("time", "until", "supplied", "borrowed"),
        [
            ("TIME", None, 6, 800),
            ("TIME", 1619913600, 10, 1000),  # 2021-05-02
            ("TIME", 1619913601, 6, 1000),
            ("BLOCK", 109, 10, 1000),
            ("BLOCK", 110, 6, 1000),
            ("BLOCK", 120, 6, 800),
        ],
    )
    def test_events_up_to_a_time_or_a_block(self, tmp_path, time, until, supplied, borrowed):
        tables = self.tables(tmp_path, time)
        (row,), notes = read_positions(tables, tmp_path, until=until, negative="zero")
        assert (row.account, row.supplied) == ("7", (("ETH", supplied),))
        assert row.borrowed == (("DAI", borrowed),)
        # more was repaid than borrowed: interest
        assert notes == (
            "1 sum below 0 taken as 0, the lowest -0.25 DAI of 8",
            "1 of 2 accounts hold nothing and are left out",
        )

    def test_sums_below_0_are_refused_unless_asked_for(self, tmp_path):
        with pytest.raises(ScenarioError) as caught:
            read_positions(self.tables(tmp_path), tmp_path)
        assert (caught.value.field, caught.value.value) == ("positions: DAI of 8", "-0.25")
        assert 'negative = "zero"' in caught.value.allowed

    def test_until_needs_a_column(self, tmp_path):
        with pytest.raises(ScenarioError) as caught:
            read_positions(self.tables(tmp_path, time=""), tmp_path, until=120)
        assert caught.value.field == "positions.table[0].time"

    @pytest.mark.parametrize(
        ("time", "until", "word"),
        [
            ("BLOCK", 1619913600, "a time, as until is"),
            ("TIME", 110, "a block number, as until is"),
            ("VAULT", 1619913600, "a time, as until is"),
        ],
    )
    def test_blocks_are_not_taken_for_times(self, tmp_path, time, until, word):
        with pytest.raises(ScenarioError, match=word) as caught:
            read_positions(self.tables(tmp_path, time), tmp_path, until=until)
        assert caught.value.field == f"{tmp_path / 'deposits.csv'}:2: {time}"

    def test_a_time_that_is_none(self, tmp_path):
        file = write(tmp_path, "TIME,user,amount,dai,usdc\n2021-05-01,a,1,0,0\nsoon,a,1,0,0\n")
        with pytest.raises(ScenarioError, match="ISO 8601") as caught:
            read_positions([wide(file, time="TIME")])
        assert caught.value.field == f"{file}:3: TIME"

    def test_negative_amounts_need_a_log(self, tmp_path):
        tables = self.tables(tmp_path, time="")
        with pytest.raises(ScenarioError, match="0 or more") as caught:
            read_positions(tables, tmp_path)
        assert caught.value.field == f"{tmp_path / 'withdrawals.csv'}:2: ETH"


def table_file(folder, unhealthy_rows=0, name="FILE"):
    """Forty users with health factors from 1.04 up, some below 1; base units, gzipped."""
    dice = random.Random(5)
    rows = [(f"0x{i:040x}", round(dice.uniform(1, 500), 6), 1.04 + 0.05 * i) for i in range(40)] + [
        (f"0xbad{i}", 10.0, 0.9) for i in range(unhealthy_rows)
    ]
    text = ",user,amount,usdc,usdc_decimals\n" + "".join(
        f"{i},{user},{amount},{int(amount * 1941.42 * 0.8 / health * 10**6)}.0,6\n"
        for i, (user, amount, health) in enumerate(rows)
    )
    (folder / name).write_bytes(gzip.compress(text.encode()))


class TestScenarios:
    def test_a_wide_table_runs(self, tmp_path):
        table_file(tmp_path)
        write(tmp_path, MARKET, "s.toml")
        result = run(load_scenario(tmp_path / "s.toml"), 7)
        (row,) = [p for p in result.world.venues["aave"].positions if p.index == 3]
        assert row.account == f"0x{3:040x}"
        assert result.summary["warnings"] == []
        assert len(result.run.liquidations) > 3
        assert all(result.summary["checks"]["invariants"].values())

    def test_positions_above_their_threshold_are_refused(self, tmp_path):
        table_file(tmp_path, unhealthy_rows=3)
        with pytest.raises(ScenarioError) as caught:
            run(parse_scenario(MARKET, folder=tmp_path), 7)
        assert caught.value.field == "population[0].position[40].borrowed"
        assert 'unhealthy = "drop"' in caught.value.allowed

    def test_or_dropped_and_counted_if_the_scenario_says_so(self, tmp_path):
        table_file(tmp_path, unhealthy_rows=3)
        scenario = parse_scenario(MARKET, ['population.users.unhealthy="drop"'], folder=tmp_path)
        assert scenario.warnings == ()
        positions = build_population(scenario, 7)
        assert [position.index for position in positions] == list(range(40))
        warnings = run(scenario, 7).summary["warnings"]
        assert warnings == [
            "population[0]: 3 of 43 positions are left out, their debt above collateral x "
            "threshold at the start prices"
        ]

    def test_the_scenario_of_a_run_holds_the_rows_and_the_notes(self, tmp_path):
        write(tmp_path, "user,amount,usdc\na,1.5,1000000\nb,0,0\n", "FILE")
        scenario = parse_scenario(MARKET, folder=tmp_path)
        warning = "population[0]: 1 of 2 accounts hold nothing and are left out"
        assert scenario.warnings == (warning,)
        again = parse_scenario(dump_scenario(scenario))
        assert again == scenario
        assert again.warnings == (warning,)


REAL_FILES = os.environ.get("LIQUIDATION_HARNESS_DATA", "")
"""A folder of real files, where there is one."""

needs_files = pytest.mark.skipif(
    not REAL_FILES, reason="LIQUIDATION_HARNESS_DATA names no folder of real files"
)

STABLES_V2 = """
file = "aave_lido_2023-06__b21_debt_stables.csv.gz"
account = "user"
supplied = { STETH = "amount", USDC = "usdc_collateral", DAI = "dai_collateral" }
borrowed = { ETH = "ethdebt", USDC = "usdc", USDT = "usdt", DAI = "dai", FRAX = "frax", GUSD = \
"gusd", SUSD = "susd", TUSD = "tusd", FEI = "fei" }
decimals = { usdc_collateral = 6, dai_collateral = 18, usdc = 6, usdt = 6, dai = 18, frax = 18, \
gusd = 2, susd = 18, tusd = 18, fei = 18 }
"""
STABLES_V3 = """
file = "aave_lido_2023-06__b21_debt_stables_v3.csv.gz"
account = "user"
supplied = { WSTETH = "amount", USDC = "usdc_collateral", DAI = "dai_collateral" }
borrowed = { ETH = "ethdebt", USDC = "usdc", USDT = "usdt", DAI = "dai", LUSD = "lusd" }
decimals = { usdc_collateral = 6, dai_collateral = 18, usdc = 6, usdt = 6, dai = 18, lusd = 18 }
"""
MIXED_V2 = """
file = "aave_lido_2023-06__b31_eth_wbtc_stables.csv.gz"
account = "user"
supplied = { STETH = "amount", ETH = "weth_collateral", WBTC = "wbtc_collateral", USDC = \
"usdc_collateral", DAI = "dai_collateral" }
borrowed = { ETH = "ethdebt", WBTC = "wbtc", USDC = "usdc", USDT = "usdt", DAI = "dai" }
decimals = { weth_collateral = 18, wbtc_collateral = 8, usdc_collateral = 6, dai_collateral = 18, \
wbtc = 8, usdc = 6, usdt = 6, dai = 18 }
"""


def population(*tables, **fields) -> Positions:
    """A population as a scenario file gives it."""
    raw = {"kind": "positions", "name": "p", "venue": "v", **fields}
    raw["table"] = [tomllib.loads(table) for table in tables]
    decoded = decode_table(Population, raw, "population[0]")
    symbols = {s for t in decoded.tables for s, _ in (*t.supplied, *t.borrowed)}
    return load_positions(decoded, Path(REAL_FILES) / "positions", "population[0]", sorted(symbols))


AAVE = 'file = "aave_lido_2023-06__{name}.csv.gz"\naccount = "user"\n'
CRVUSD = """
file = "crvusd_2024-01-30__{name}_llamma_users_bands.json.gz"
records = "userStates"
account = "user.id"
supplied = {{ {name} = "collateral", CRVUSD = "stablecoin" }}
borrowed = {{ CRVUSD = "debt" }}
"""
MAKER = """
file = "{folder}maker_ETH_B_{name}.csv.gz"
account = "VAULT_NUMBER"
time = "{time}"
{sides}
"""
LOGS = (
    ("", "vault_deposits", 'supplied = { ETH = "DEPOSIT_AMOUNT_ADJ" }'),
    ("", "vault_withdrawals", 'supplied = { ETH = "WITHDRAWN_AMOUNT_ADJ" }'),
    ("", "dai_borrows", 'borrowed = { DAI = "DAI_MINTED" }'),
    ("", "dai_repayments", 'borrowed = { DAI = "-DAI_REPAYED" }'),
    (
        "../liquidations/",
        "vault_liquidations",
        'supplied = { ETH = "-COLLATERAL_LIQUIDATED_AMOUNT" }\n'
        'borrowed = { DAI = "-DAI_REPAYED_AMOUNT" }',
    ),
)


def total(population: Positions, side: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for row in population.positions:
        for symbol, amount in getattr(row, side):
            sums[symbol] = sums.get(symbol, 0) + amount
    return sums


PRICES_V2 = {
    "ETH": 1,
    "WBTC": 15.472525091899483083,
    "USDC": 580223303700951e-18,
    "USDT": 580844896987157e-18,
    "DAI": 580908282837672e-18,
    "FEI": 564993868543894e-18,
    "TUSD": 583426495248742e-18,
    "SUSD": 579347611866053e-18,
    "FRAX": 577606946186631e-18,
    "GUSD": 581540734020714e-18,
}
PRICES_V3 = {
    "ETH": 1719.89763743,
    "USDC": 1.00021167,
    "USDT": 0.99974555,
    "DAI": 0.99990000,
    "LUSD": 1.00695210,
}


@needs_files
class TestRealFiles:
    """The sums and numbers of users are those of the files' own README."""

    @pytest.mark.parametrize(
        ("name", "columns", "users", "side", "expected"),
        [
            ("b1", 'borrowed = { ETH = "debt" }', 271, "borrowed", {"ETH": 148_890}),
            ("steth_aave", 'borrowed = { ETH = "debt" }', 1309, "borrowed", {"ETH": 509_690}),
            ("b1_v3", 'borrowed = { USD = "debt" }', 124, "borrowed", {"USD": 260_790_000}),
            ("steth_aave_v3", 'borrowed = { USD = "debt" }', 502, "borrowed", {"USD": 403_940_000}),
        ],
    )
    def test_aave_by_value(self, name, columns, users, side, expected):
        columns = f'{columns}\nsupplied = {{ STETH = "amount" }}'
        loaded = population(AAVE.format(name=name) + columns)
        assert (len(loaded.positions), loaded.notes) == (users, ())
        assert total(loaded, side) == pytest.approx(expected, rel=1e-4)

    @pytest.mark.parametrize(
        ("table", "users", "debt", "prices"),
        [
            # the files' prices, in ETH and in USD, and the sums of what the files say each user
            # owes in the coins they know
            (STABLES_V2, 646, 4_109.749 + 179_887.408, PRICES_V2),
            (MIXED_V2, 55, 103_931.521 + 27_293.883 + 208.897, PRICES_V2),
            (STABLES_V3, 307, 18.188_674 * 1_719.897_637 + 88_015_983.98, PRICES_V3),
        ],
    )
    def test_aave_by_coin(self, table, users, debt, prices):
        loaded = population(table)
        assert (len(loaded.positions), loaded.notes) == (users, ())
        owed = total(loaded, "borrowed")
        worth = sum(amount * prices[symbol] for symbol, amount in owed.items())
        assert worth == pytest.approx(debt, rel=1e-7)

    @pytest.mark.parametrize(
        ("name", "users", "debt"),
        [
            ("WBTC", 191, 35_892_170),
            ("WETH", 255, 19_820_324),
            ("sfrxETH", 66, 12_156_164),
            ("tBTC", 21, 3_938_312),
            ("wstETH", 240, 33_263_276),
        ],
    )
    def test_crvusd(self, name, users, debt):
        loaded = population(CRVUSD.format(name=name))
        assert (len(loaded.positions), loaded.notes) == (users, ())
        assert total(loaded, "borrowed") == pytest.approx({"CRVUSD": debt}, abs=0.5)

    def test_maker_vaults_before_the_crash_of_may_2021(self):
        def vaults(time, until):
            tables = [
                MAKER.format(folder=folder, name=name, time=time, sides=sides)
                for folder, name, sides in LOGS
            ]
            return population(*tables, until=until, negative="zero")

        by_time = vaults("BLOCK_TIMESTAMP", "2021-05-18T23:59:59Z")
        assert len(by_time.positions) == 147
        assert total(by_time, "supplied") == pytest.approx({"ETH": 24_580.9}, abs=0.1)
        assert total(by_time, "borrowed") == pytest.approx({"DAI": 44_333_771}, abs=1)
        assert by_time.notes[1] == "396 of 543 accounts hold nothing and are left out"
        by_block = vaults("BLOCK_NUMBER", 12_460_000)
        assert total(by_block, "supplied") == pytest.approx({"ETH": 24_433.6}, abs=0.1)

    def test_all_of_them_are_there(self):
        files = sorted((Path(REAL_FILES) / "positions").iterdir())
        known = (*("aave_lido", "crvusd"), *(f"maker_ETH_B_{name}" for _, name, _ in LOGS))
        # openings of vaults hold no amounts
        assert [f.name for f in files if not f.name.startswith(known)] == [
            "maker_ETH_B_vault_creations.csv.gz"
        ]

    def test_users_of_aave_v3_run(self):
        file = f"{REAL_FILES}/positions/aave_lido_2023-06__b21_debt_stables_v3.csv.gz"
        text = MARKET.replace("FILE", file).replace("decimals = { usdc = 6 }", "")
        text = text.replace('{ USDC = "usdc" }', '{ USDC = "debt" }')  # of all coins, in USD
        overrides = ["clock.blocks=100", 'population.users.unhealthy="drop"']
        result = run(parse_scenario(text, overrides), 7)
        # these have other collateral too, of which the file does not say how much
        warning = "population[0]: 50 of 307 positions are left out"
        assert any(text.startswith(warning) for text in result.summary["warnings"])
        assert len(result.world.venues["aave"].positions) == 257
        assert len(result.run.liquidations) > 20
        assert all(result.summary["checks"]["invariants"].values())
