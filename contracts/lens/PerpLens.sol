// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IPerpExchange} from "../interfaces/IPerpExchange.sol";
import {IPerpTypes} from "../interfaces/IPerpTypes.sol";
import {Math} from "../libraries/Math.sol";
import {PerpMath} from "../perp/PerpMath.sol";

/// @title PerpLens
/// @notice Reads a perpetual exchange for thousands of accounts in one call, as flat words, with the arithmetic
/// the exchange itself decides with (PerpMath). Signed values are in two's complement. A vector of prices holds
/// USD (Wad) per unit of each market's asset, then per token of each collateral, then per settlement token.
contract PerpLens {
    using Math for uint256;
    using PerpMath for int256;
    using PerpMath for uint256;

    /// @notice Margin ratio of an account that needs no margin and owes nothing.
    int256 public constant NO_MARGIN = type(int256).max;

    /// @notice Margin ratio where the feed of something the account holds is refused: such an account cannot be
    /// liquidated now.
    int256 public constant UNPRICED = type(int256).max - 1;

    uint256 private constant BPS = PerpMath.BPS;

    /// @dev The exchange at given prices, read once for all accounts.
    struct Terms {
        uint256[] prices;
        IPerpTypes.MarketState[] markets;
        IPerpTypes.Tier[][] tiers;
        IPerpTypes.CollateralConfig[] collaterals;
        uint256[] units;
        uint256 valueScale;
    }

    /// @notice One word for each market and collateral and for the settlement token; 0 where the feed's answer is
    /// refused.
    function pricesUsd(IPerpExchange exchange) public view returns (uint256[] memory words) {
        uint256 markets = exchange.marketCount();
        uint256 collaterals = exchange.collateralCount();
        words = new uint256[](markets + collaterals + 1);
        for (uint256 id; id < markets; ++id) {
            try exchange.marketUsdWad(id) returns (uint256 price) {
                words[id] = price;
            } catch {}
        }
        for (uint256 id; id < collaterals; ++id) {
            try exchange.collateralUsdWad(id) returns (uint256 price) {
                words[markets + id] = price;
            } catch {}
        }
        try exchange.settlementUsdWad() returns (uint256 price) {
            words[markets + collaterals] = price;
        } catch {}
    }

    /// @notice Twelve words for each market, those of IPerpTypes.MarketState in order, at this block's time. Where
    /// the feed's answer is refused, index and mark are 0, and no funding is added since the last accrual.
    function marketStates(IPerpExchange exchange) external view returns (uint256[] memory words) {
        uint256[] memory prices = pricesUsd(exchange);
        uint256 count = exchange.marketCount();
        words = new uint256[](12 * count);
        for (uint256 id; id < count; ++id) {
            bytes memory state = abi.encode(_marketState(exchange, id, prices));
            for (uint256 i; i < 12; ++i) {
                uint256 word;
                assembly ("memory-safe") {
                    word := mload(add(add(state, 32), mul(i, 32)))
                }
                words[12 * id + i] = word;
            }
        }
    }

    /// @notice Seven words: cash of all accounts, cash of the insurance fund among it, vault cash, fees, deficit,
    /// tokens held, vault equity (the smallest signed word where a feed is refused); then two for each collateral:
    /// amount of all accounts, tokens held.
    function books(IPerpExchange exchange) external view returns (uint256[] memory words) {
        uint256 collaterals = exchange.collateralCount();
        words = new uint256[](7 + 2 * collaterals);
        {
            (int256 cash, int256 insurance, int256 vaultCash, uint256 fees, uint256 deficit) = exchange.books();
            words[0] = uint256(cash);
            words[1] = uint256(insurance);
            words[2] = uint256(vaultCash);
            words[3] = fees;
            words[4] = deficit;
        }
        words[5] = IERC20(exchange.settlement()).balanceOf(address(exchange));
        words[6] = uint256(type(int256).min);
        try exchange.vaultEquity() returns (int256 equity) {
            words[6] = uint256(equity);
        } catch {}
        for (uint256 id; id < collaterals; ++id) {
            words[7 + 2 * id] = exchange.collateralTotal(id);
            words[8 + 2 * id] =
                IERC20(exchange.collateralConfig(id).token).balanceOf(address(exchange));
        }
    }

    /// @notice For each account 1 + 2 * markets + collaterals words: IPerpExchange.accountWords.
    function accounts(IPerpExchange exchange, bytes32[] calldata list)
        external
        view
        returns (uint256[] memory words)
    {
        uint256 width = 1 + 2 * exchange.marketCount() + exchange.collateralCount();
        words = new uint256[](width * list.length);
        for (uint256 i; i < list.length; ++i) {
            uint256[] memory row = exchange.accountWords(list[i]);
            for (uint256 j; j < width; ++j) {
                words[i * width + j] = row[j];
            }
        }
    }

    /// @notice Eight words for each account at the exchange's prices: equity, unrealised profit, notional,
    /// initial, call and maintenance margin, equity without haircuts, and margin ratio: equity / maintenance margin
    /// (Wad, rounded down, below zero with the equity; NO_MARGIN, UNPRICED).
    function margins(IPerpExchange exchange, bytes32[] calldata list)
        external
        view
        returns (uint256[] memory words)
    {
        return _margins(exchange, list, _terms(exchange, pricesUsd(exchange)));
    }

    /// @notice As `margins`, at the given prices.
    function marginsAt(IPerpExchange exchange, bytes32[] calldata list, uint256[] calldata prices)
        external
        view
        returns (uint256[] memory words)
    {
        return _margins(exchange, list, _terms(exchange, prices));
    }

    /// @notice Two words for each market of each account: the mark price of that market, all else unchanged, at
    /// which equity is the maintenance margin, and that at which it is zero; 0 where there is no position or no
    /// such price. p - side * (equity - maintenance) / size / (1 - side * m) with m the maintenance ratio of the
    /// tier the position is in now; equity / size for the second (Hyperliquid's formulas). Towards zero.
    function liquidationPrices(IPerpExchange exchange, bytes32[] calldata list)
        external
        view
        returns (uint256[] memory words)
    {
        Terms memory terms = _terms(exchange, pricesUsd(exchange));
        uint256 count = terms.markets.length;
        words = new uint256[](2 * count * list.length);
        for (uint256 i; i < list.length; ++i) {
            uint256[] memory row = exchange.accountWords(list[i]);
            (IPerpTypes.Valuation memory v,) = _value(row, terms);
            for (uint256 id; id < count; ++id) {
                int256 size = row[1 + 2 * id].highOf();
                if (size == 0 || terms.markets[id].markWad == 0) continue;
                uint256 start = 2 * (i * count + id);
                words[start] = _liquidationPrice(v, terms, id, size);
                words[start + 1] = _priceLosing(terms, id, size, v.equity, BPS * BPS);
            }
        }
    }

    /// @notice Six words for each account: margin ratio as in `margins`; what `liquidate` would do now (0 nothing,
    /// 1 close, 2 take over); the market to name, where the account has most notional; size it would close, signed
    /// as the position (0 in a takeover, which takes all there is); about what the caller would be credited; and
    /// the time before which the position is left alone (0 if it is not).
    function liquidationQuotes(IPerpExchange exchange, bytes32[] calldata list)
        external
        view
        returns (uint256[] memory words)
    {
        Terms memory terms = _terms(exchange, pricesUsd(exchange));
        IPerpTypes.RiskConfig memory risk = exchange.riskConfig();
        words = new uint256[](6 * list.length);
        for (uint256 i; i < list.length; ++i) {
            uint256[] memory row = exchange.accountWords(list[i]);
            (IPerpTypes.Valuation memory v,) = _value(row, terms);
            uint256 start = 6 * i;
            int256 ratio = _ratio(row, v, terms);
            words[start] = uint256(ratio);
            words[start + 2] = _largest(row, terms);
            if (ratio >= int256(Math.WAD) || row[0] >> 64 & 1 != 0) continue;
            words[start + 1] =
                v.equity <= v.maintenanceMargin.mulDivDown(risk.backstopBps, BPS).toInt() ? 2 : 1;
            if (words[start + 1] == 2) {
                words[start + 4] = v.maintenanceMargin.min(risk.keeperFee);
            } else {
                (IPerpTypes.MarketConfig memory config,) = exchange.marketConfig(words[start + 2]);
                _quoteClose(words, start, row, v.equity, terms, config);
            }
        }
    }

    /// @dev What closing the position of market `words[start + 2]` would do, into the last three words.
    function _quoteClose(
        uint256[] memory words,
        uint256 start,
        uint256[] memory row,
        int256 equity,
        Terms memory terms,
        IPerpTypes.MarketConfig memory config
    ) private view {
        uint256 id = words[start + 2];
        int256 size = row[1 + 2 * id].highOf();
        uint256 steppedAt = uint64(row[2 + 2 * id]);
        uint256 steps = uint8(row[2 + 2 * id] >> 64);
        if (steppedAt != 0 && block.timestamp < steppedAt + config.cooldown) {
            words[start + 5] = steppedAt + config.cooldown;
        }
        if (block.timestamp > steppedAt + config.stepWindow) steps = 0;
        uint256 closed = size.abs();
        uint256 value = closed.mulDivUp(terms.markets[id].markWad, terms.valueScale);
        if (steps < config.partialSteps) {
            closed = closed.mulDivUp(PerpMath.tierOf(terms.tiers[id], value).closeShareBps, BPS);
        }
        words[start + 3] = uint256(size < 0 ? -closed.toInt() : closed.toInt());
        value = closed.mulDivDown(terms.markets[id].markWad, terms.valueScale);
        words[start + 4] = value.mulDivDown(config.liquidationFeeBps, BPS).min(equity.positive()).mulDivDown(
            config.liquidatorShareBps, BPS
        );
    }

    function _margins(IPerpExchange exchange, bytes32[] calldata list, Terms memory terms)
        private
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](8 * list.length);
        for (uint256 i; i < list.length; ++i) {
            uint256[] memory row = exchange.accountWords(list[i]);
            (IPerpTypes.Valuation memory v, int256 fullEquity) = _value(row, terms);
            uint256 start = 8 * i;
            words[start] = uint256(v.equity);
            words[start + 1] = uint256(v.unrealised);
            words[start + 2] = v.notional;
            words[start + 3] = v.initialMargin;
            words[start + 4] = v.callMargin;
            words[start + 5] = v.maintenanceMargin;
            words[start + 6] = uint256(fullEquity);
            words[start + 7] = uint256(_ratio(row, v, terms));
        }
    }

    function _terms(IPerpExchange exchange, uint256[] memory prices) private view returns (Terms memory terms) {
        uint256 markets = exchange.marketCount();
        uint256 collaterals = exchange.collateralCount();
        terms.prices = prices;
        terms.valueScale = exchange.valueScale();
        terms.markets = new IPerpTypes.MarketState[](markets);
        terms.tiers = new IPerpTypes.Tier[][](markets);
        terms.collaterals = new IPerpTypes.CollateralConfig[](collaterals);
        terms.units = new uint256[](collaterals);
        for (uint256 id; id < markets; ++id) {
            terms.markets[id] = _marketState(exchange, id, prices);
            (, terms.tiers[id]) = exchange.marketConfig(id);
        }
        for (uint256 id; id < collaterals; ++id) {
            terms.collaterals[id] = exchange.collateralConfig(id);
            terms.units[id] = 10 ** IERC20(terms.collaterals[id].token).decimals();
        }
    }

    function _marketState(IPerpExchange exchange, uint256 id, uint256[] memory prices)
        private
        view
        returns (IPerpTypes.MarketState memory)
    {
        uint256 settlementUsd = prices[prices.length - 1];
        return settlementUsd == 0
            ? exchange.marketStateAt(id, 0, Math.WAD)
            : exchange.marketStateAt(id, prices[id], settlementUsd);
    }

    function _value(uint256[] memory row, Terms memory terms)
        private
        pure
        returns (IPerpTypes.Valuation memory v, int256 fullEquity)
    {
        uint256 markets = terms.markets.length;
        v.equity = row[0].highOf();
        for (uint256 id; id < markets; ++id) {
            uint256 word = row[1 + 2 * id];
            if (word == 0) continue;
            PerpMath.addPosition(
                v, word, row[2 + 2 * id].highOf(), terms.markets[id], terms.tiers[id], terms.valueScale
            );
        }
        fullEquity = v.equity;
        uint256 settlementUsd = terms.prices[terms.prices.length - 1];
        for (uint256 id; id < terms.units.length && settlementUsd != 0; ++id) {
            uint256 amount = row[1 + 2 * markets + id];
            if (amount == 0) continue;
            uint256 price = PerpMath.quoteDown(terms.prices[markets + id], settlementUsd);
            uint256 haircutBps = terms.collaterals[id].haircutBps;
            v.equity += PerpMath.collateralValueDown(
                amount, price, terms.units[id], terms.valueScale, haircutBps
            ).toInt();
            fullEquity +=
                PerpMath.collateralValueDown(amount, price, terms.units[id], terms.valueScale, 0).toInt();
        }
    }

    function _ratio(uint256[] memory row, IPerpTypes.Valuation memory v, Terms memory terms)
        private
        pure
        returns (int256)
    {
        uint256 markets = terms.markets.length;
        bool unpriced = terms.prices[terms.prices.length - 1] == 0;
        bool exposed = row[0].highOf() < 0;
        for (uint256 id; id < terms.prices.length - 1; ++id) {
            uint256 held = row[id < markets ? 1 + 2 * id : 1 + markets + id];
            if (held == 0) continue;
            exposed = exposed || id < markets;
            unpriced = unpriced || terms.prices[id] == 0;
        }
        if (!exposed) return NO_MARGIN;
        if (unpriced) return UNPRICED;
        if (v.maintenanceMargin == 0) return v.equity < 0 ? type(int256).min : NO_MARGIN;
        return PerpMath.mulDivDown(v.equity, int256(Math.WAD), v.maintenanceMargin);
    }

    /// @dev The first of equals; 0 where there is none.
    function _largest(uint256[] memory row, Terms memory terms) private pure returns (uint256 market) {
        uint256 largest;
        for (uint256 id; id < terms.markets.length; ++id) {
            uint256 notional =
                row[1 + 2 * id].highOf().abs().mulDivDown(terms.markets[id].markWad, terms.valueScale);
            if (notional > largest) (largest, market) = (notional, id);
        }
    }

    function _liquidationPrice(IPerpTypes.Valuation memory v, Terms memory terms, uint256 id, int256 size)
        private
        pure
        returns (uint256)
    {
        IPerpTypes.MarketState memory market = terms.markets[id];
        uint256 notional = size.abs().mulDivUp(market.markWad, terms.valueScale);
        uint256 ratio = PerpMath.tierOf(terms.tiers[id], notional).maintenanceBps * market.marginScaleBps;
        uint256 one = BPS * BPS;
        if (size > 0 && ratio >= one) return 0;
        return _priceLosing(
            terms, id, size, v.equity - v.maintenanceMargin.toInt(), size > 0 ? one - ratio : one + ratio
        );
    }

    /// @dev The mark price at which the position has lost `loss`, where a unit of loss counts `per` / 1e8.
    function _priceLosing(Terms memory terms, uint256 id, int256 size, int256 loss, uint256 per)
        private
        pure
        returns (uint256)
    {
        int256 move = PerpMath.mulDivDown(loss, terms.valueScale.toInt(), size.abs());
        move = move * int256(BPS * BPS) / per.toInt();
        int256 mark = terms.markets[id].markWad.toInt();
        return (size > 0 ? mark - move : mark + move).positive();
    }
}
