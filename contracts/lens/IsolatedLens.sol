// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {Math} from "../libraries/Math.sol";
import {IsolatedReader} from "./IsolatedReader.sol";

/// @title IsolatedLens
/// @notice Reads isolated markets for thousands of accounts in one call, as flat words, with the arithmetic the
/// markets themselves decide with (IsolatedMath). Interest is charged up to now. Prices are USD per whole
/// token, Wad.
contract IsolatedLens is IsolatedReader {
    using IsolatedMath for uint256;
    using Math for uint256;

    /// @notice Nine words for each market: totalSupplyAssets, totalSupplyShares, totalBorrowAssets,
    /// totalBorrowShares, its balance of debt tokens, its balance of collateral tokens, collateralPriceWad,
    /// debtPriceWad (both 0 if a feed's answer is refused), price.
    function marketStates(IIsolatedMarket[] calldata markets) external view returns (uint256[] memory words) {
        words = new uint256[](9 * markets.length);
        uint256 next = 0;
        for (uint256 i = 0; i < markets.length; ++i) {
            IIsolatedMarket market = markets[i];
            IIsolatedMarket.MarketState memory state = market.marketState();
            Terms memory terms = _ownTerms(market);
            words[next++] = state.totalSupplyAssets;
            words[next++] = state.totalSupplyShares;
            words[next++] = state.totalBorrowAssets;
            words[next++] = state.totalBorrowShares;
            words[next++] = market.debtToken().balanceOf(address(market));
            words[next++] = market.collateralToken().balanceOf(address(market));
            words[next++] = terms.collateralPriceWad;
            words[next++] = terms.debtPriceWad;
            words[next++] = terms.price;
        }
    }

    /// @notice Five words for each account: supplyShares, borrowShares, collateral, supplied assets (rounded
    /// down), debt (rounded up).
    function positions(IIsolatedMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        Terms memory terms = _terms(market, 0, 0);
        words = new uint256[](5 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (uint256 supplyShares, uint256 borrowShares, uint256 collateral) = market.position(accounts[i]);
            words[5 * i] = supplyShares;
            words[5 * i + 1] = borrowShares;
            words[5 * i + 2] = collateral;
            words[5 * i + 3] =
                supplyShares.toAssetsDown(terms.state.totalSupplyAssets, terms.state.totalSupplyShares);
            words[5 * i + 4] = _debtUp(borrowShares, terms);
        }
    }

    /// @notice Health factor of each account at the market's own prices: Wad, type(uint256).max without debt,
    /// or UNPRICED.
    function healthFactors(IIsolatedMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        return _healthFactors(market, accounts, _ownTerms(market));
    }

    /// @notice Health factor of each account at the given prices, above zero: Wad, type(uint256).max without
    /// debt.
    function healthFactorsAt(
        IIsolatedMarket market,
        address[] calldata accounts,
        uint256 collateralPriceWad,
        uint256 debtPriceWad
    ) external view returns (uint256[] memory words) {
        return _healthFactors(market, accounts, _terms(market, collateralPriceWad, debtPriceWad));
    }

    /// @notice Unrealised losses at the given prices, summed over the accounts.
    /// @return marketShortfallUsd Sum of max(0, debt - collateral), Wad, rounded up.
    /// @return liquidationShortfallUsd Sum of max(0, debt - collateral / incentive factor), Wad, rounded up:
    /// what liquidating everybody at these prices would leave unpaid.
    /// @return marketCount Accounts with a market shortfall.
    /// @return liquidationCount Accounts with a liquidation shortfall.
    function shortfallAt(
        IIsolatedMarket market,
        address[] calldata accounts,
        uint256 collateralPriceWad,
        uint256 debtPriceWad
    )
        external
        view
        returns (
            uint256 marketShortfallUsd,
            uint256 liquidationShortfallUsd,
            uint256 marketCount,
            uint256 liquidationCount
        )
    {
        Terms memory terms = _terms(market, collateralPriceWad, debtPriceWad);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (, uint256 borrowShares, uint256 collateral) = market.position(accounts[i]);
            uint256 debt = _debtUp(borrowShares, terms);
            uint256 value = collateral.mulDivDown(terms.price, IsolatedMath.PRICE_SCALE);
            if (debt > value) {
                marketShortfallUsd += _usdUp(debt - value, terms);
                ++marketCount;
            }
            uint256 payable_ = value.mulDivDown(Math.WAD, terms.incentiveFactorWad);
            if (debt > payable_) {
                liquidationShortfallUsd += _usdUp(debt - payable_, terms);
                ++liquidationCount;
            }
        }
    }

    /// @notice Four words for each account: health factor now (as `healthFactors`), and what `liquidate` with
    /// type(uint256).max would repay, seize and write off now; the last three are 0 where it would revert,
    /// healthy accounts included.
    function liquidationQuotes(IIsolatedMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        uint256[] memory health = _healthFactors(market, accounts, _ownTerms(market));
        words = new uint256[](4 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            words[4 * i] = health[i];
            if (health[i] >= Math.WAD) continue;
            try market.quoteLiquidation(accounts[i], 0, type(uint256).max) returns (
                uint256 repaid, uint256 seized, uint256 badDebt, uint256
            ) {
                words[4 * i + 1] = repaid;
                words[4 * i + 2] = seized;
                words[4 * i + 3] = badDebt;
            } catch {
                continue;
            }
        }
    }

    function _usdUp(uint256 debt, Terms memory terms) private pure returns (uint256) {
        return debt.mulDivUp(terms.debtPriceWad, terms.debtUnit);
    }
}
