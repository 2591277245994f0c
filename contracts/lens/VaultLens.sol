// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ICuratedVault} from "../interfaces/ICuratedVault.sol";
import {Math} from "../libraries/Math.sol";

/// @title VaultLens
/// @notice What the harness reads of curated vaults every block, in one call.
contract VaultLens {
    using Math for uint256;

    /// @notice For each vault its total assets, shares, idle assets and liquidity; then for each of its strategies
    /// what its part is worth, what it has lost by now and nobody has covered, and what its part was worth after the
    /// last touch.
    function read(ICuratedVault[] calldata vaults) external view returns (uint256[] memory words) {
        uint256 count = 0;
        for (uint256 i = 0; i < vaults.length; ++i) count += 4 + 3 * vaults[i].strategyCount();
        words = new uint256[](count);
        uint256 next = 0;
        for (uint256 i = 0; i < vaults.length; ++i) {
            words[next++] = vaults[i].totalAssets();
            words[next++] = vaults[i].totalSupply();
            words[next++] = vaults[i].idle();
            words[next++] = vaults[i].liquidity();
            uint256 strategies = vaults[i].strategyCount();
            for (uint256 id = 0; id < strategies; ++id) {
                (, words[next], words[next + 1]) = vaults[i].strategy(id);
                words[next + 2] = vaults[i].noted(id);
                words[next + 1] += words[next + 2].subFloor(words[next]);
                next += 3;
            }
        }
    }
}
