"""The methods known by name: what they are called with, what they mean, and where the slots of the intent come from.

Each row is ``intent | signature | derived slots``. Argument names are slot names. A derived slot ``slot=source`` takes
``@to``, ``@value`` or ``@sender`` of the transaction, another argument (``path.first`` and ``path.last`` are the ends of
a token path, as a list or packed as Uniswap V3 does), or a literal behind a quote mark.
Signatures are those of the deployed contracts and of the ERC texts; selectors are computed, never typed in.
"""

from __future__ import annotations

_V2_IN = "token_in=path.first token_out=path.last"
_V3_SINGLE = "address token_in, address token_out, uint24 fee, address recipient"
_ONE_INCH = (
    "address token_in, address token_out, address src_receiver, address recipient, uint256 amount_in, uint256 amount_out_min"
)
_ORDER = (
    "(address token_in, uint256 token_in_id, uint256 amount_in, address offerer, address zone, address token, uint256 token_id,"
    " uint256 amount, uint8 order_type, uint256 start_time, uint256 end_time, bytes32 zone_hash, uint256 salt,"
    " bytes32 offerer_conduit, bytes32 conduit, uint256 tips, (uint256 amount, address recipient)[] extra, bytes signature)"
    " order"
)

TABLE = f"""
transfer | transfer(address recipient, uint256 amount) | token=@to
transfer | transferFrom(address owner, address recipient, uint256 amount) | token=@to
transfer | safeTransferFrom(address owner, address recipient, uint256 token_id) | token=@to
transfer | safeTransferFrom(address owner, address recipient, uint256 token_id, bytes data) | token=@to
transfer | safeTransferFrom(address owner, address recipient, uint256 token_id, uint256 amount, bytes data) | token=@to
transfer | safeBatchTransferFrom(address owner, address recipient, uint256[] token_id, uint256[] amount, bytes data) | token=@to
approve | approve(address spender, uint256 amount) | token=@to
approve | increaseAllowance(address spender, uint256 amount) | token=@to action='increase
approve | decreaseAllowance(address spender, uint256 amount) | token=@to action='decrease
approve | setApprovalForAll(address spender, bool approved) | token=@to
approve | permit(address owner, address spender, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) | token=@to
mint | mint(address recipient, uint256 amount) | token=@to
mint | mint(uint256 amount) | token=@to
mint | mint() | token=@to
mint | publicMint() | token=@to
burn | burn(uint256 amount) | token=@to
burn | burnFrom(address owner, uint256 amount) | token=@to
wrap | deposit() | amount=@value token=@to
wrap | withdraw(uint256 amount) | token=@to action='unwrap
swap | swapExactTokensForTokens(uint256 amount_in, uint256 amount_out_min, address[] path, address recipient, uint256 deadline) | {_V2_IN}
swap | swapTokensForExactTokens(uint256 amount_out, uint256 amount_in_max, address[] path, address recipient, uint256 deadline) | {_V2_IN}
swap | swapExactETHForTokens(uint256 amount_out_min, address[] path, address recipient, uint256 deadline) | amount_in=@value token_in='ETH token_out=path.last
swap | swapTokensForExactETH(uint256 amount_out, uint256 amount_in_max, address[] path, address recipient, uint256 deadline) | token_in=path.first token_out='ETH
swap | swapExactTokensForETH(uint256 amount_in, uint256 amount_out_min, address[] path, address recipient, uint256 deadline) | token_in=path.first token_out='ETH
swap | swapETHForExactTokens(uint256 amount_out, address[] path, address recipient, uint256 deadline) | amount_in_max=@value token_in='ETH token_out=path.last
swap | swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256 amount_in, uint256 amount_out_min, address[] path, address recipient, uint256 deadline) | {_V2_IN}
swap | swapExactETHForTokensSupportingFeeOnTransferTokens(uint256 amount_out_min, address[] path, address recipient, uint256 deadline) | amount_in=@value token_in='ETH token_out=path.last
swap | swapExactTokensForETHSupportingFeeOnTransferTokens(uint256 amount_in, uint256 amount_out_min, address[] path, address recipient, uint256 deadline) | token_in=path.first token_out='ETH
swap | swapExactTokensForTokens(uint256 amount_in, uint256 amount_out_min, address[] path, address recipient) | {_V2_IN}
swap | swapTokensForExactTokens(uint256 amount_out, uint256 amount_in_max, address[] path, address recipient) | {_V2_IN}
swap | exactInputSingle(({_V3_SINGLE}, uint256 deadline, uint256 amount_in, uint256 amount_out_min, uint160 price_limit) params) |
swap | exactInputSingle(({_V3_SINGLE}, uint256 amount_in, uint256 amount_out_min, uint160 price_limit) params) |
swap | exactOutputSingle(({_V3_SINGLE}, uint256 deadline, uint256 amount_out, uint256 amount_in_max, uint160 price_limit) params) |
swap | exactOutputSingle(({_V3_SINGLE}, uint256 amount_out, uint256 amount_in_max, uint160 price_limit) params) |
swap | exactInput((bytes path, address recipient, uint256 deadline, uint256 amount_in, uint256 amount_out_min) params) | {_V2_IN}
swap | exactInput((bytes path, address recipient, uint256 amount_in, uint256 amount_out_min) params) | {_V2_IN}
swap | exactOutput((bytes path, address recipient, uint256 deadline, uint256 amount_out, uint256 amount_in_max) params) | token_in=path.last token_out=path.first
swap | exactOutput((bytes path, address recipient, uint256 amount_out, uint256 amount_in_max) params) | token_in=path.last token_out=path.first
swap | swap(address executor, ({_ONE_INCH}, uint256 flags) description, bytes permit, bytes data) |
swap | swap(address executor, ({_ONE_INCH}, uint256 flags) description, bytes data) |
swap | swap(address executor, ({_ONE_INCH}, uint256 flags, bytes permit) description, bytes data) |
swap | unoswap(address token_in, uint256 amount_in, uint256 amount_out_min, bytes32[] pools) |
swap | unoswap(address token_in, uint256 amount_in, uint256 amount_out_min, uint256[] pools) |
swap | uniswapV3Swap(uint256 amount_in, uint256 amount_out_min, uint256[] pools) |
swap | transformERC20(address token_in, address token_out, uint256 amount_in, uint256 amount_out_min, (uint32 nonce, bytes data)[] steps) |
swap | sellToUniswap(address[] path, uint256 amount_in, uint256 amount_out_min, bool sushi) | {_V2_IN}
swap | swap(string venue, address token_in, uint256 amount_in, bytes data) |
swap | execute(bytes commands, bytes[] inputs, uint256 deadline) |
swap | execute(bytes commands, bytes[] inputs) |
multicall | multicall(bytes[] calls) |
multicall | multicall(uint256 deadline, bytes[] calls) |
multicall | multicall(bytes32 previous_block, bytes[] calls) |
multisig | execTransaction(address recipient, uint256 amount, bytes data, uint8 operation, uint256 safe_gas, uint256 base_gas, uint256 gas_price, address gas_token, address refund_receiver, bytes signatures) |
liquidity | addLiquidity(address token_a, address token_b, uint256 amount_a, uint256 amount_b, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline) | action='add
liquidity | addLiquidityETH(address token_a, uint256 amount_a, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline) | token_b='ETH amount_b=@value action='add
liquidity | removeLiquidity(address token_a, address token_b, uint256 amount, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline) | action='remove
liquidity | removeLiquidityETH(address token_a, uint256 amount, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline) | token_b='ETH action='remove
liquidity | removeLiquidityETHWithPermit(address token_a, uint256 amount, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline, bool approve_max, uint8 v, bytes32 r, bytes32 s) | token_b='ETH action='remove
liquidity | removeLiquidityWithPermit(address token_a, address token_b, uint256 amount, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline, bool approve_max, uint8 v, bytes32 r, bytes32 s) | action='remove
liquidity | removeLiquidityETHSupportingFeeOnTransferTokens(address token_a, uint256 amount, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline) | token_b='ETH action='remove
liquidity | mint((address token_a, address token_b, uint24 fee, int24 tick_lower, int24 tick_upper, uint256 amount_a, uint256 amount_b, uint256 amount_a_min, uint256 amount_b_min, address recipient, uint256 deadline) params) | action='add
liquidity | increaseLiquidity((uint256 position, uint256 amount_a, uint256 amount_b, uint256 amount_a_min, uint256 amount_b_min, uint256 deadline) params) | action='add
liquidity | decreaseLiquidity((uint256 position, uint128 amount, uint256 amount_a_min, uint256 amount_b_min, uint256 deadline) params) | action='remove
liquidity | collect((uint256 position, address recipient, uint128 amount_a_max, uint128 amount_b_max) params) | action='collect
wrap | unwrapWETH9(uint256 amount, address recipient) | action='unwrap
sweep | sweepToken(address token, uint256 amount, address recipient) |
sweep | refundETH() |
stake | submit(address referral) | amount=@value token='ETH
stake | requestWithdrawals(uint256[] amount, address owner) | action='unstake
stake | deposit(bytes validator, bytes withdrawal_credentials, bytes signature, bytes32 deposit_root) | amount=@value token='ETH
stake | stake(uint256 amount) |
stake | stake() | amount=@value token='ETH
stake | unstake(uint256 amount) | action='unstake
stake | exit() | action='unstake
stake | getReward() | action='claim
stake | claim() | action='claim
stake | deposit(uint256 pool, uint256 amount) |
stake | withdraw(uint256 pool, uint256 amount) | action='unstake
wrap | wrap(uint256 amount) | token=@to
wrap | unwrap(uint256 amount) | token=@to action='unwrap
vault | deposit(uint256 amount) | action='deposit
vault | deposit(uint256 amount, address recipient) | action='deposit
vault | withdraw(uint256 amount, address recipient, address owner) | action='withdraw
vault | redeem(uint256 amount, address recipient, address owner) | action='withdraw
vault | mint(uint256 amount, address recipient) | action='deposit
vault | withdraw() | action='withdraw
lend | deposit(address token, uint256 amount, address recipient, uint16 referral) | action='supply
lend | supply(address token, uint256 amount, address recipient, uint16 referral) | action='supply
lend | withdraw(address token, uint256 amount, address recipient) | action='withdraw
lend | borrow(address token, uint256 amount, uint256 rate_mode, uint16 referral, address owner) | action='borrow
lend | repay(address token, uint256 amount, uint256 rate_mode, address owner) | action='repay
lend | liquidationCall(address collateral, address token, address owner, uint256 amount, bool receive_wrapped) | action='liquidate
lend | flashLoanSimple(address recipient, address token, uint256 amount, bytes data, uint16 referral) | action='flash_loan
lend | supply(address token, uint256 amount) | action='supply
lend | withdraw(address token, uint256 amount) | action='withdraw
lend | borrow(uint256 amount) | action='borrow
lend | repayBorrow(uint256 amount) | action='repay
lend | redeem(uint256 amount) | action='withdraw
lend | redeemUnderlying(uint256 amount) | action='withdraw
vote | castVote(uint256 proposal, uint8 support) |
vote | castVote(uint256 proposal, bool support) |
vote | castVoteWithReason(uint256 proposal, uint8 support, string reason) |
vote | delegate(address delegate) | action='delegate
vote | propose(address[] targets, uint256[] values, string[] signatures, bytes[] calls, string text) | action='propose
bridge | depositETH(uint32 gas_limit, bytes data) | amount=@value token='ETH
bridge | depositERC20(address token, address token_out, uint256 amount, uint32 gas_limit, bytes data) |
bridge | depositTransaction(address recipient, uint256 amount, uint64 gas_limit, bool creation, bytes data) | token='ETH
bridge | depositEth() | amount=@value token='ETH
bridge | outboundTransfer(address token, address recipient, uint256 amount, uint256 max_gas, uint256 gas_price, bytes data) |
bridge | depositFor(address recipient, address token, bytes data) |
bridge | depositEtherFor(address recipient) | amount=@value token='ETH
bridge | sendToL2(uint256 chain, address recipient, uint256 amount, uint256 amount_out_min, uint256 deadline, address relayer, uint256 relayer_fee) |
bridge | depositForBurn(uint256 amount, uint32 chain, bytes32 mint_recipient, address token) |
nft_trade | fulfillBasicOrder({_ORDER}) |
nft_trade | atomicMatch_(address[14] addresses, uint256[18] numbers, uint8[8] methods, bytes call_buy, bytes call_sell, bytes pattern_buy, bytes pattern_sell, bytes extra_buy, bytes extra_sell, uint8[2] vs, bytes32[5] metadata) | amount=@value token='ETH
name | register(string name, address owner, uint256 duration, bytes32 secret) |
ownership | transferOwnership(address recipient) |
"""  # noqa: E501  one method a line reads as a table
