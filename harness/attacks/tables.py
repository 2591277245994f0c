"""Attacks written as TOML, where amounts and order are all there is to say.

    name = "stuck-feed-by-hand"
    title = "collateral supplied at the feed's minimum"
    remedy = "answers at the minimum are refused"
    stopped_by = "AnswerOutOfBounds"
    goal = { measure = "profit", at_least = 1_000_000 }
    check = [{ measure = "insolvency", at_most = 0 }]

    [parameters]
    luna = 230_000_000
    floor_usd = 0.0

    [remedied]
    floor_usd = 0.107

    [[token]]
    symbol = "LUNA"
    price_usd = 0.01
    feed_usd = 0.107

    [[token]]
    symbol = "BUSD"
    price_usd = 1

    [[lending]]
    name = "market"
    asset = { LUNA = { ltv = 5500, threshold = 5500, min_answer_usd = "$floor_usd" }, BUSD = {} }

    [[actor]]
    name = "supplier"
    role = "victim"
    supplied = { market = { BUSD = 50_000_000 } }

    [[actor]]
    name = "attacker"
    capital = { LUNA = "$luna" }

    [[step]]
    label = "supply, borrow"
    actor = "attacker"
    do = [
      { call = "supply", market = "market", token = "LUNA", amount = "all" },
      { call = "borrow", market = "market", token = "BUSD", amount = 13_535_500 },
    ]

``$NAME`` stands for a parameter, which ``--set`` changes and ``[remedied]`` replaces. Amounts are
whole tokens; ``"all"`` is all the actor has of the token when the call is made, and all of a debt.
A step is one transaction in one block; beside ``do`` it may ``push`` feeds and state outside
``price``s (by symbol, USD, before its block) and ``wait_s`` seconds. Calls: supply, withdraw,
borrow, repay (market, token, amount), liquidate (market, account, collateral, token, amount), swap
(pool, token, amount), transfer (token, to, amount), flash_loan (market, token, amount, do).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any, cast

from harness.attacks import calls
from harness.attacks.script import Attack, Check, Measure, Parameters
from harness.attacks.stage import Actor, Lending, Stage
from harness.errors import ScenarioError

__all__ = ["load_table", "parse_table"]

_TEXT, _NUMBER, _WHOLE = "a text", "a number, or $NAME of a parameter", "a whole number"
_TABLE, _ARRAY = "a table", "an array"
#: "all" as well, where the call allows it
_AMOUNT = 'a number, $NAME of a parameter, or "all"'
_KINDS: Mapping[str, tuple[type, ...]] = {
    _TEXT: (str,),
    _NUMBER: (int, float, str),
    _AMOUNT: (int, float, str),
    _WHOLE: (int,),
    _TABLE: (dict,),
    _ARRAY: (list,),
}


def _fields(**names: str) -> dict[str, str]:
    """Fields by name, each with its kind, from the names of each kind."""
    kinds = {
        "text": _TEXT,
        "number": _NUMBER,
        "amount": _AMOUNT,
        "whole": _WHOLE,
        "table": _TABLE,
        "array": _ARRAY,
    }
    return {name: kinds[kind] for kind, some in names.items() for name in some.split()}


_FIELDS: Mapping[str, Mapping[str, str]] = {
    "": _fields(
        text="name title remedy stopped_by reported",
        table="goal parameters remedied",
        array="sources check token pool lending actor step",
    ),
    "token": _fields(text="symbol", number="price_usd feed_usd", whole="decimals"),
    "pool": _fields(text="base quote", number="base_reserve", whole="fee_pips"),
    "lending": _fields(text="name", table="asset", array="rules"),
    "asset": _fields(
        text="feed_pool",
        number="max_age min_answer_usd ltv threshold bonus protocol_share supply_cap borrow_cap",
    ),
    "actor": _fields(text="name role", table="capital supplied borrowed"),
    "step": _fields(text="label actor", number="wait_s", table="push price", array="do"),
    "do": _fields(text="call market token account collateral pool to", amount="amount", array="do"),
    "check": _fields(text="measure of", number="at_most at_least"),
}
_MOST_DECIMALS = 18
_MOST_PIPS = 999_999
_ROLES = ("attacker", "victim", "bystander")
_MEASURES = ("profit", "loss", "insolvency")

Row = Mapping[str, Any]


def load_table(path: Path) -> Attack:
    """The attack in a TOML file.

    Raises ScenarioError if the file cannot be read, or says something unknown.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ScenarioError("attack", str(path), f"a readable file ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError("attack", str(path), f"a TOML file ({error})") from error
    return parse_table(document)


def parse_table(document: Row) -> Attack:
    """The attack a TOML document describes; see the module."""
    _check_keys("", document, "")
    for needed in ("name", "title", "goal", "stopped_by"):
        if needed not in document:
            raise ScenarioError(needed, None, "must be given")
    for kind in ("token", "pool", "lending", "actor", "step", "check"):
        for place, row in enumerate(document.get(kind, [])):
            _check_keys(kind, row, f"{kind}[{place}]")
    for kind, name in (("token", "symbol"), ("lending", "name"), ("actor", "name")):
        _check_names(document.get(kind, []), kind, name)
    given = _numbers("parameters", document)
    for name in given:
        if not name.isidentifier() or name == "remedied":
            allowed = "a name of letters, digits and _ other than remedied"
            raise ScenarioError("parameters", name, allowed)
    for name in _numbers("remedied", document):
        if name not in given:
            allowed = f"a parameter: {', '.join(given) or 'there is none'}"
            raise ScenarioError("remedied", name, allowed)
    parameters = make_dataclass(
        "TableParameters",
        [(name, float, field(default=float(value))) for name, value in given.items()],
        bases=(Parameters,),
        frozen=True,
    )
    goal = _check("goal", document["goal"])
    return Attack(
        name=str(document["name"]),
        title=str(document["title"]),
        sources=tuple(document.get("sources", ())),
        play=_script(document),
        parameters=parameters(),
        remedy=str(document.get("remedy", "")),
        stopped_by=str(document["stopped_by"]),
        protocol=tuple(
            _check(f"check[{place}]", row) for place, row in enumerate(document.get("check", ()))
        ),
        goal=lambda _: goal,
        reported=str(document.get("reported", "")),
    )


def _check_keys(kind: str, row: Any, where: str) -> None:
    """Raises ScenarioError for what is no table, an unknown field, or a value of another kind."""
    if not isinstance(row, dict):
        raise ScenarioError(where, row, "a table")
    known = _FIELDS[kind]
    for key, value in row.items():
        at = f"{where}.{key}" if where else key
        if key not in known:
            raise ScenarioError(at, value, f"known fields: {', '.join(sorted(known))}")
        wanted = _KINDS[known[key]]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ScenarioError(at, value, known[key])


def _check_names(rows: Sequence[Row], kind: str, name: str) -> None:
    """Raises ScenarioError unless each has a name of its own."""
    seen: set[str] = set()
    for place, row in enumerate(rows):
        found = row.get(name, "")
        if not found or found in seen:
            raise ScenarioError(f"{kind}[{place}].{name}", found, f"a {name} of its own")
        seen.add(found)


def _numbers(key: str, document: Row) -> Mapping[str, float]:
    """A table of numbers."""
    given: Mapping[str, Any] = document.get(key, {})
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScenarioError(f"{key}.{name}", value, "a number")
    return given


def _check(where: str, row: Row) -> Check:
    _check_keys("check", row, where)
    for key in ("at_most", "at_least"):
        if isinstance(row.get(key), str):
            raise ScenarioError(f"{where}.{key}", row[key], "a number")
    measure = row.get("measure")
    if measure not in _MEASURES:
        raise ScenarioError(f"{where}.measure", measure, f"one of {', '.join(_MEASURES)}")
    if "at_most" not in row and "at_least" not in row:
        raise ScenarioError(f"{where}.at_most", None, "at_most or at_least must be given")
    return Check(
        cast(Measure, measure), row.get("at_most"), row.get("at_least"), str(row.get("of", ""))
    )


def _script(document: Row) -> Callable[[Stage, Any], Generator[int | None, None, None]]:
    def play(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        table = _Table(stage, document, p)
        table.set_up()
        yield None
        for place, step in enumerate(document.get("step", ())):
            table.step(step, f"step[{place}]")
            yield None

    return play


def _whole(where: str, value: int, most: int) -> int:
    """A whole number from 0 on. Raises ScenarioError beyond ``most``."""
    if not 0 <= value <= most:
        raise ScenarioError(where, value, f"from 0 to {most}")
    return value


class _Table:
    """A document being played."""

    def __init__(self, stage: Stage, document: Row, parameters: Any) -> None:
        self._stage = stage
        self._document = document
        self._values = dict(vars(parameters))
        if parameters.remedied:
            self._values.update(document.get("remedied", {}))
        self._markets: dict[str, Lending] = {}

    # ---- values

    def _number(self, where: str, value: Any) -> float:
        if isinstance(value, str) and value.startswith("$"):
            if value[1:] not in self._values:
                raise ScenarioError(where, value, f"a parameter: {', '.join(self._values)}")
            value = self._values[value[1:]]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScenarioError(where, value, "a number, or $NAME of a parameter")
        if not 0 <= value <= 10**15:
            raise ScenarioError(where, value, "from 0 to 1e15")
        return float(value)

    def _named(self, where: str, row: Row, key: str, known: Mapping[str, Any]) -> Any:
        name: Any = row.get(key)
        if name not in known:
            raise ScenarioError(f"{where}.{key}", name, f"one of {', '.join(known)}")
        return known[name]

    # ---- set-up

    def set_up(self) -> None:
        stage, document = self._stage, self._document
        for place, row in enumerate(document.get("token", ())):
            where = f"token[{place}]"
            symbol = row["symbol"]
            price = self._number(f"{where}.price_usd", row.get("price_usd"))
            decimals = _whole(f"{where}.decimals", row.get("decimals", 18), _MOST_DECIMALS)
            stage.token(symbol, price, decimals)
            stage.feed(symbol, self._number(f"{where}.feed_usd", row.get("feed_usd", price)))
        for place, row in enumerate(document.get("pool", ())):
            where = f"pool[{place}]"
            for key in ("base", "quote"):
                self._named(where, row, key, stage.tokens)
            reserve = self._number(f"{where}.base_reserve", row.get("base_reserve"))
            fee = _whole(f"{where}.fee_pips", row.get("fee_pips", 3_000), _MOST_PIPS)
            stage.pool(row["base"], row["quote"], reserve, fee_pips=fee)
        for place, row in enumerate(document.get("lending", ())):
            self._lending(f"lending[{place}]", row)
        for place, row in enumerate(document.get("actor", ())):
            self._actor(f"actor[{place}]", row)

    def _lending(self, where: str, row: Row) -> None:
        stage = self._stage
        assets: dict[str, dict[str, Any]] = {}
        for symbol, given in row.get("asset", {}).items():
            at = f"{where}.asset.{symbol}"
            _check_keys("asset", given, at)
            if symbol not in stage.tokens:
                raise ScenarioError(at, symbol, f"one of {', '.join(stage.tokens)}")
            terms: dict[str, Any] = {}
            for key, value in given.items():
                if key == "feed_pool":
                    pool = self._named(at, given, key, stage.pools)
                    base, _, quote = str(value).partition("/")
                    terms["feed"] = stage.deploy(
                        "PoolSpotFeed",
                        pool,
                        stage.tokens[symbol],
                        stage.feeds[quote if symbol == base else base],
                        8,
                        f"{symbol} (pool)",
                    )
                elif key == "min_answer_usd":
                    terms["min_answer"] = round(self._number(f"{at}.{key}", value) * 10**8)
                elif key.endswith("_cap"):
                    terms[key] = self._number(f"{at}.{key}", value)
                else:
                    terms[key] = int(self._number(f"{at}.{key}", value))
            assets[symbol] = terms
        rules = tuple(row.get("rules", (10_000, 0, 0, 0)))
        if len(rules) != 4 or not all(type(rule) is int and rule >= 0 for rule in rules):
            raise ScenarioError(f"{where}.rules", list(rules), "four whole numbers of 0 or more")
        name = row["name"]
        self._markets[name] = stage.lending(name, assets, rules=cast(Any, rules))

    def _actor(self, where: str, row: Row) -> None:
        stage = self._stage
        role = row.get("role", "attacker")
        if role not in _ROLES:
            raise ScenarioError(f"{where}.role", role, f"one of {', '.join(_ROLES)}")
        supplied = {
            market: self._amounts(f"{where}.supplied.{market}", amounts)
            for market, amounts in row.get("supplied", {}).items()
        }
        capital = self._amounts(f"{where}.capital", row.get("capital", {}))
        for amounts in supplied.values():
            for symbol, amount in amounts.items():
                capital[symbol] = capital.get(symbol, 0.0) + amount
        actor = stage.actor(row["name"], role, **capital)
        spenders = [stage.router, *(market.market for market in self._markets.values())]
        stage.approve(actor, list(stage.tokens), *spenders)
        for key, moves in (("supplied", supplied), ("borrowed", row.get("borrowed", {}))):
            for market, amounts in moves.items():
                lending = self._named(where, {key: market}, key, self._markets)
                checked = self._amounts(f"{where}.{key}.{market}", amounts)
                stage.position(actor, lending, **{key: checked})

    def _amounts(self, where: str, amounts: Any) -> dict[str, float]:
        if not isinstance(amounts, dict):
            raise ScenarioError(where, amounts, "a table of amounts by symbol")
        for symbol in amounts:
            if symbol not in self._stage.tokens:
                raise ScenarioError(where, symbol, f"one of {', '.join(self._stage.tokens)}")
        return {s: self._number(f"{where}.{s}", value) for s, value in amounts.items()}

    # ---- steps

    def step(self, row: Row, where: str) -> None:
        stage = self._stage
        for symbol, price in self._amounts(f"{where}.price", row.get("price", {})).items():
            stage.price(symbol, price)
        for symbol, price in self._amounts(f"{where}.push", row.get("push", {})).items():
            stage.push(stage.feeds[symbol], price)
        if "wait_s" in row:
            stage.wait(int(self._number(f"{where}.wait_s", row["wait_s"])))
        if "do" in row:
            actor = self._named(where, row, "actor", stage.actors)
            made = self._calls(f"{where}.do", row["do"], actor)
            stage.send(str(row.get("label", where)), actor, *made)

    def _calls(self, where: str, rows: Sequence[Row], actor: Actor) -> list[calls.Call]:
        return [self._call(f"{where}[{place}]", row, actor) for place, row in enumerate(rows)]

    def _call(self, where: str, row: Row, actor: Actor) -> calls.Call:
        _check_keys("do", row, where)
        stage, kind = self._stage, row.get("call")
        token = self._named(where, row, "token", stage.tokens)
        amount: Any = row.get("amount")
        if amount == "all":
            whole = kind in ("withdraw", "repay", "liquidate")
            amount = calls.MAX if whole else calls.all_of(token, actor)
        else:
            amount = stage.units(row["token"], self._number(f"{where}.amount", amount))
        if kind == "swap":
            pool = self._named(where, row, "pool", stage.pools)
            return calls.swap(stage.router, pool, token, amount, actor)
        if kind == "transfer":
            to = self._named(where, row, "to", {**stage.actors, **stage.pools, **self._markets})
            return calls.transfer(token, to, amount)
        simple = {
            "supply": calls.supply,
            "withdraw": calls.withdraw,
            "borrow": calls.borrow,
            "repay": calls.repay,
        }
        allowed = (*simple, "liquidate", "swap", "transfer", "flash_loan")
        if kind not in allowed:
            raise ScenarioError(f"{where}.call", kind, f"one of {', '.join(allowed)}")
        market = self._named(where, row, "market", self._markets).market
        if kind == "flash_loan":
            inner = self._calls(f"{where}.do", row.get("do", ()), actor)
            return calls.flash_loan(market, actor, token, amount, inner)
        if kind == "liquidate":
            who = self._named(where, row, "account", stage.actors)
            seized = self._named(where, row, "collateral", stage.tokens)
            return calls.liquidate(market, who, seized, token, amount, actor)
        return simple[kind](market, token, amount, actor)
