// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Create2Factory
/// @notice Creates every contract of a run, so that its address depends on nothing but its salt and its
/// creation code. It is itself the first creation of the deployer account (nonce 0, block 1), hence at the
/// same address on every engine. Contracts made here see the factory as `msg.sender` in their constructor:
/// they take their admin as an argument.
contract Create2Factory {
    /// @notice A contract was created.
    /// @param created Its address.
    event Deployed(address created);

    /// @notice The creation failed without a reason: the address is taken, the creation code ran out of gas,
    /// or the runtime code is too large.
    error CreationFailed();

    /// @notice Creates a contract with CREATE2.
    /// @param salt Free choice; the same salt and initcode can be used once only.
    /// @param initcode Creation code with its ABI-encoded constructor arguments appended.
    /// @return created The new contract's address.
    /// @dev If the constructor reverts with data, this reverts with the same data.
    function deploy(bytes32 salt, bytes calldata initcode) external returns (address created) {
        bytes memory code = initcode;
        assembly ("memory-safe") {
            created := create2(0, add(code, 0x20), mload(code), salt)
            if iszero(created) {
                if returndatasize() {
                    let free := mload(0x40)
                    returndatacopy(free, 0, returndatasize())
                    revert(free, returndatasize())
                }
            }
        }
        if (created == address(0)) revert CreationFailed();
        emit Deployed(created);
    }
}
