// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {Math} from "../libraries/Math.sol";

/// @title What the lenses of isolated markets read and compute alike
/// @notice With the arithmetic the markets themselves decide with (IsolatedMath). Prices are USD per whole token, Wad.
abstract contract IsolatedReader {
    using IsolatedMath for uint256;
    using Math for uint256;

    /// @notice Health factor reported for an account in debt where a feed of the market is refused: it cannot
    /// be liquidated now.
    uint256 public constant UNPRICED = type(uint256).max - 1;

    /// @dev What values a position.
    struct Terms {
        IIsolatedMarket.MarketState state;
        uint256 lltvWad;
        uint256 incentiveFactorWad;
        uint256 collateralUnit;
        uint256 debtUnit;
        uint256 collateralPriceWad;
        uint256 debtPriceWad;
        /// Base units of debt for one of collateral, 1e36 is one; 0 if not known.
        uint256 price;
    }

    function _healthFactors(IIsolatedMarket market, address[] calldata accounts, Terms memory terms)
        internal
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (, uint256 borrowShares, uint256 collateral) = market.position(accounts[i]);
            words[i] = terms.price == 0 && borrowShares != 0
                ? UNPRICED
                : collateral.maxDebtDown(terms.price, terms.lltvWad).healthFactorDown(
                    _debtUp(borrowShares, terms)
                );
        }
    }

    function _debtUp(uint256 borrowShares, Terms memory terms) internal pure returns (uint256) {
        return borrowShares.toAssetsUp(terms.state.totalBorrowAssets, terms.state.totalBorrowShares);
    }

    /// @dev Prices are 0 where a feed's answer is refused.
    function _ownTerms(IIsolatedMarket market) internal view returns (Terms memory) {
        try market.pricesWad() returns (uint256 collateralPriceWad, uint256 debtPriceWad) {
            return _terms(market, collateralPriceWad, debtPriceWad);
        } catch {
            return _terms(market, 0, 0);
        }
    }

    function _terms(IIsolatedMarket market, uint256 collateralPriceWad, uint256 debtPriceWad)
        internal
        view
        returns (Terms memory terms)
    {
        terms.state = market.marketState();
        terms.lltvWad = market.lltvWad();
        terms.incentiveFactorWad = market.incentiveFactorWad();
        terms.collateralUnit = 10 ** uint256(market.collateralToken().decimals());
        terms.debtUnit = 10 ** uint256(market.debtToken().decimals());
        (terms.collateralPriceWad, terms.debtPriceWad) = (collateralPriceWad, debtPriceWad);
        if (debtPriceWad != 0) {
            terms.price = IsolatedMath.priceDown(
                collateralPriceWad, debtPriceWad, terms.collateralUnit, terms.debtUnit
            );
        }
    }
}
