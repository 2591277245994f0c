// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingFund} from "../interfaces/IClearingFund.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";

/// @title ClearingLens
/// @notice Reads a clearing house in bulk, as flat words. Signed values are in two's complement.
contract ClearingLens {
    /// @notice Five words for each account: rank, wealth, cap, weight, and 1 where it is on a side of the round.
    function places(IClearingHouse house, address venue, bytes32[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](5 * accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            IClearingHouse.Place memory place = house.placeOf(venue, accounts[i]);
            uint256 start = 5 * i;
            words[start] = place.rank;
            words[start + 1] = place.wealth;
            words[start + 2] = place.cap;
            words[start + 3] = place.weight;
            words[start + 4] = place.isOnSide ? 1 : 0;
        }
    }

    /// @notice Twelve words for each venue: reports pending; then of its round: number, stage, whether all winners
    /// are asked, time it was opened, sides, unpaid loss, accounts in default, how many are free again, accounts in
    /// line, how many are dealt with, rank listed last.
    function rounds(IClearingHouse house, address[] calldata venues)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](12 * venues.length);
        for (uint256 i; i < venues.length; ++i) {
            (uint256 pending,) = house.reportsOf(venues[i], 0);
            bytes memory round = abi.encode(house.roundOf(venues[i]));
            words[12 * i] = pending;
            for (uint256 j; j < 11; ++j) {
                uint256 word;
                assembly ("memory-safe") {
                    word := mload(add(add(round, 32), mul(j, 32)))
                }
                words[12 * i + 1 + j] = word;
            }
        }
    }

    /// @notice Stake, pool, shares, number of members; then six words for each member: address, margin, contribution
    /// as required, what is left of it, what can still be assessed, surplus over all venues (the smallest signed
    /// word where a feed is refused).
    function fund(IClearingFund fund_) external view returns (uint256[] memory words) {
        address[] memory members = fund_.members();
        words = new uint256[](4 + 6 * members.length);
        words[0] = fund_.stake();
        words[1] = fund_.pool();
        words[2] = fund_.totalShares();
        words[3] = members.length;
        for (uint256 i; i < members.length; ++i) {
            IClearingFund.Member memory m = fund_.memberOf(members[i]);
            uint256 start = 4 + 6 * i;
            words[start] = uint160(members[i]);
            words[start + 1] = m.margin;
            words[start + 2] = m.contribution;
            words[start + 3] = fund_.shareOf(members[i]);
            words[start + 4] = fund_.assessable(members[i]);
            words[start + 5] = uint256(type(int256).min);
            try fund_.surplus(members[i]) returns (int256 above) {
                words[start + 5] = uint256(above);
            } catch {}
        }
    }
}
