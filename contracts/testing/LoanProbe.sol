// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashBorrower} from "../interfaces/IFlashBorrower.sol";

/// @title LoanProbe
/// @notice Takes flash loans, makes the calls it is told to while the loan is out, and approves what it is told to.
contract LoanProbe is IFlashBorrower {
    /// @param initiator As the lender said.
    event Lent(address lender, address initiator, address asset, uint256 assets, uint256 fee, uint256 balance);

    function onFlashLoan(address initiator, address asset, uint256 assets, uint256 fee, bytes calldata data)
        external
    {
        emit Lent(msg.sender, initiator, asset, assets, fee, IERC20(asset).balanceOf(address(this)));
        (uint256 approved, address target, bytes[] memory calls) = abi.decode(data, (uint256, address, bytes[]));
        IERC20(asset).approve(msg.sender, type(uint256).max);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool success, bytes memory result) = target.call(calls[i]);
            if (!success) {
                assembly ("memory-safe") {
                    revert(add(result, 32), mload(result))
                }
            }
        }
        IERC20(asset).approve(msg.sender, approved);
    }
}
