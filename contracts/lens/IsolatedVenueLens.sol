// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {IsolatedReader} from "./IsolatedReader.sol";

/// @title IsolatedVenueLens
/// @notice Reads an isolated market as LendingLens reads a pooled one, word for word, so that whoever follows
/// lending markets follows both: asset 0 is the collateral, asset 1 the debt. Scaled amounts are the collateral as
/// it is and shares of supply and debt; an index is what a share is worth. The arithmetic is the market's own
/// (IsolatedMath); prices are USD per whole token, USD amounts Wad.
contract IsolatedVenueLens is IsolatedReader {
    using IsolatedMath for uint256;
    using Math for uint256;

    /// @notice As LendingLens.assetStates. The market does not add up its collateral: cash, claims and scaled supply
    /// of asset 0 are its token balance. It has neither reserves nor a deficit.
    function assetStates(IIsolatedMarket market) external view returns (uint256[] memory words) {
        Terms memory terms = _ownTerms(market);
        IIsolatedMarket.MarketState memory state = terms.state;
        uint256 held = market.collateralToken().balanceOf(address(market));
        words = new uint256[](20);
        (words[0], words[1], words[7]) = (held, held, held);
        (words[5], words[6]) = (Math.RAY, Math.RAY);
        words[9] = terms.collateralPriceWad;
        words[10] = state.totalSupplyAssets - state.totalBorrowAssets;
        words[11] = state.totalSupplyAssets;
        words[12] = state.totalBorrowAssets;
        words[15] = Math.RAY.toAssetsDown(state.totalSupplyAssets, state.totalSupplyShares);
        words[16] = Math.RAY.toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares);
        words[17] = state.totalSupplyShares;
        words[18] = state.totalBorrowShares;
        words[19] = terms.debtPriceWad;
    }

    /// @notice As LendingLens.scaledPositions.
    function scaledPositions(IIsolatedMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](2 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (uint256 supplyShares, uint256 borrowShares, uint256 collateral) = market.position(accounts[i]);
            words[2 * i] = PositionMath.join(collateral, 0);
            words[2 * i + 1] = PositionMath.join(supplyShares, borrowShares);
        }
    }

    /// @notice As LendingLens.positions: claims rounded down, debt up.
    function positions(IIsolatedMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        IIsolatedMarket.MarketState memory state = market.marketState();
        words = new uint256[](2 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (uint256 supplyShares, uint256 borrowShares, uint256 collateral) = market.position(accounts[i]);
            words[2 * i] = PositionMath.join(collateral, 0);
            words[2 * i + 1] = PositionMath.join(
                supplyShares.toAssetsDown(state.totalSupplyAssets, state.totalSupplyShares),
                borrowShares.toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares)
            );
        }
    }

    /// @notice As LendingLens.healthFactors.
    function healthFactors(IIsolatedMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        return _healthFactors(market, accounts, _ownTerms(market));
    }

    /// @notice As LendingLens.shortfallAt; what was supplied to the market secures no debt and does not count.
    function shortfallAt(IIsolatedMarket market, address[] calldata accounts, uint256[] calldata pricesWad)
        external
        view
        returns (
            uint256 marketShortfallUsd,
            uint256 liquidationShortfallUsd,
            uint256 marketCount,
            uint256 liquidationCount
        )
    {
        Terms memory terms = _terms(market, pricesWad[0], pricesWad[1]);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (, uint256 borrowShares, uint256 collateral) = market.position(accounts[i]);
            uint256 debtUsd = _debtUp(borrowShares, terms).mulDivUp(terms.debtPriceWad, terms.debtUnit);
            uint256 worth = collateral.mulDivDown(terms.collateralPriceWad, terms.collateralUnit);
            if (debtUsd > worth) {
                marketShortfallUsd += debtUsd - worth;
                ++marketCount;
            }
            uint256 payable_ = worth.mulDivDown(Math.WAD, terms.incentiveFactorWad);
            if (debtUsd > payable_) {
                liquidationShortfallUsd += debtUsd - payable_;
                ++liquidationCount;
            }
        }
    }

    /// @notice As LendingLens.liquidationQuotes: collateral is asset 0 and debt asset 1 throughout.
    function liquidationQuotes(IIsolatedMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        uint256[] memory health = _healthFactors(market, accounts, _ownTerms(market));
        words = new uint256[](5 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            words[5 * i] = health[i];
            words[5 * i + 2] = 1;
            if (health[i] >= Math.WAD) continue;
            try market.quoteLiquidation(accounts[i], 0, type(uint256).max) returns (
                uint256 repaid, uint256 seized, uint256, uint256
            ) {
                (words[5 * i + 3], words[5 * i + 4]) = (repaid, seized);
            } catch {
                continue;
            }
        }
    }
}
