// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IERC4626} from "../interfaces/IERC4626.sol";
import {Math} from "../libraries/Math.sol";
import {DerivedFeed} from "./DerivedFeed.sol";

/// @title SharePriceFeed
/// @notice What a whole share of a vault is worth in whole assets, now, rounded down; one while there are no
/// shares. Not USD: ProductFeed multiplies it with the asset's price, CappedGrowthFeed keeps a gift to the
/// vault from lifting it. The round is the block's timestamp.
contract SharePriceFeed is DerivedFeed {
    IERC4626 public immutable vault;

    /// @dev answer = floor(total assets x up / total shares).
    uint256 private immutable _up;

    constructor(IERC4626 vault_, uint8 decimals_, string memory description_)
        DerivedFeed(decimals_, description_)
    {
        vault = vault_;
        uint256 gained = uint256(decimals_) + vault_.decimals();
        uint256 lost = IERC20(vault_.asset()).decimals();
        if (gained < lost) revert InvalidConfig("vault");
        _up = 10 ** (gained - lost);
    }

    function _latest() internal view override returns (uint80, int256, uint256, uint256, uint80) {
        uint256 supply = vault.totalSupply();
        uint256 answer = supply == 0
            ? 10 ** uint256(decimals)
            : Math.mulDivDown(vault.totalAssets(), _up, supply);
        uint80 round = uint80(block.timestamp);
        return (round, int256(answer), block.timestamp, block.timestamp, round);
    }
}
