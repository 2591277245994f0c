// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAuctionCallee} from "../interfaces/IAuctionCallee.sol";
import {IFlashBorrower} from "../interfaces/IFlashBorrower.sol";
import {IFlashSwapCallee} from "../interfaces/IFlashSwapCallee.sol";
import {IIsolatedLiquidationCallee} from "../interfaces/IIsolatedLiquidationCallee.sol";

/// @title Actor
/// @notice A participant of an attack: executes a list of calls in one transaction, all of them or none, and holds
/// what they bring. A lender, pool, auction or token that calls it back hands it the next list, as the
/// `data` it was given; so a flash loan is one call whose data is what to do with it.
/// @dev Callbacks are answered only while the owner's own transaction runs: nobody else can start one.
contract Actor is IAuctionCallee, IFlashBorrower, IFlashSwapCallee, IIsolatedLiquidationCallee {
    /// @notice One call. `query`, if not empty, is asked of `source` first; the word it returns, times
    /// `shareBps` / 10000 rounded down, is written into `data` at `offset`: "all I hold by then", "all it has".
    /// @param mayFail Go on if the call reverts; the reason is in the event Skipped.
    struct Call {
        address to;
        bool mayFail;
        bytes data;
        address source;
        bytes query;
        uint256 offset;
        uint256 shareBps;
    }

    /// @notice Who may start a transaction.
    address public immutable owner;

    bool private transient _running;

    /// @notice A call that was allowed to fail did.
    event Skipped(address indexed to, bytes reason);

    /// @notice A call reverted, and with it everything the transaction was to do.
    event Refused(bytes reason);

    error NotOwner(address caller);
    error NotSelf(address caller);

    /// @notice Called back outside the owner's transaction.
    error NotRunning(address caller);

    /// @notice The query returned no word, or the offset lies outside the data.
    error InvalidQuery(address source);

    constructor(address owner_) {
        owner = owner_;
    }

    /// @notice Executes the calls in order. If one reverts, none has happened, and the event Refused says why: a
    /// log, since not every node hands out what a transaction reverted with. Owner only.
    function run(Call[] calldata calls) external {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _running = true;
        try this.attempt(calls) {}
        catch (bytes memory reason) {
            emit Refused(reason);
        }
        _running = false;
    }

    /// @notice Itself only, so that what it does can be undone as one.
    function attempt(Call[] calldata calls) external {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _execute(calls);
    }

    /// @notice The same from a token's or protocol's hook.
    function reenter(Call[] calldata calls) public {
        if (!_running) revert NotRunning(msg.sender);
        _execute(calls);
    }

    function onFlashLoan(address, address, uint256, uint256, bytes calldata data) external {
        _callBack(data);
    }

    function onFlashSwap(address, uint256, uint256, bytes calldata data) external {
        _callBack(data);
    }

    function onAuctionTake(address, uint256, uint256, bytes calldata data) external {
        _callBack(data);
    }

    function onIsolatedLiquidation(uint256, uint256, bytes calldata data) external {
        _callBack(data);
    }

    function _callBack(bytes calldata data) private {
        if (!_running) revert NotRunning(msg.sender);
        _execute(abi.decode(data, (Call[])));
    }

    function _execute(Call[] memory calls) private {
        for (uint256 i = 0; i < calls.length; ++i) {
            Call memory next = calls[i];
            if (next.query.length != 0) _fill(next);
            (bool done, bytes memory result) = next.to.call(next.data);
            if (done) continue;
            if (!next.mayFail) {
                assembly ("memory-safe") {
                    revert(add(result, 32), mload(result))
                }
            }
            emit Skipped(next.to, result);
        }
    }

    /// @dev Writes the word that the call waits for into its data.
    function _fill(Call memory next) private view {
        (bool done, bytes memory result) = next.source.staticcall(next.query);
        if (!done || result.length < 32 || next.offset + 32 > next.data.length) {
            revert InvalidQuery(next.source);
        }
        uint256 word = (abi.decode(result, (uint256)) * next.shareBps) / 10_000;
        bytes memory data = next.data;
        uint256 offset = next.offset;
        assembly ("memory-safe") {
            mstore(add(add(data, 32), offset), word)
        }
    }
}
