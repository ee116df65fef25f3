"""Templates of requests that move value or commit to something; see ``templates``."""

from __future__ import annotations

ACTING: dict[str, str] = {
    "swap": """
(swap|exchange|trade|convert) {amount} {token} (for|to|into) {token} [on {venue}]
(sell|dump|offload) {amount} {token} (for|into|and get) {token}
(buy|purchase|get|acquire) {amount} {token} (with|using) [my] {token} [on {venue}]
(turn|change|flip|rotate) [all] my {token} (into|to|for) {token}
(market buy|market sell) {amount} {token} (against|with|for) {token}
use {amount} {token} to (buy|get) {token}
{amount} {token} (to|->|into|for) {token} [please]
(swap|trade) half of my {token} (for|into) {token} (on|through|via) {venue}
(give me|i need) {amount} {token} (in exchange for|for|out of) my {token}
(get rid of|unload) my {token} and (take|receive|end up with) {token}
(rebalance|move) {percent} of my {token} into {token} with {percent} slippage
(exchange|swap) {token} for {token}, (max|maximum) slippage {percent}
do a {token} to {token} (swap|trade) (of|worth) {amount} [{token}]
(i would like|i want) to (trade|swap) my {token} holdings for {token} [before {date}]
(go|rotate) from {token} into {token} with {amount} [{token}]
spend {amount} {token} on {token} (at the best rate|at market price)
(convert|swap) everything i have in {token} to {token}
take {amount} {token} and (make it|turn it into) {token}
(execute|perform) a swap from {amount} {token} to {token} on {venue}
cash out {amount} {token} (to|into) {token}
(trade in|hand over) {amount} {token} to (receive|obtain) {token}
(replace|substitute) my {token} with {token}
(diversify|move) {percent} of my {token} (into|to) {token}
(can we|let's) (flip|swap|switch) from {token} to {token} [today]
(pick up|grab|snag) {amount} {token} using {token}
(trade|swap) as much {token} as you can for {token}
(go long|load up on) {token} with {amount} {token}
{token} for {token}, {amount} [of it], (best route|best price)
(use|go through) {venue} to (trade|exchange) {token} for {token}
(liquidate|sell off) my {token} position into {token}
(route|process) a {token}/{token} trade for {amount} [{token}] on {venue}
""",
    "transfer": """
(send|transfer|wire|forward) {amount} {token} to {party}
pay {party} {amount} {token} [for the {thing}]
(give|tip) {party} {amount} {token}
(move|push) {amount} {token} (to|over to) my (other|cold|hardware|savings) wallet
{party} (should get|gets|needs) {amount} {token} from me
(send|transfer) {party} {amount} {token} [{date}]
(make|do) a (payment|transfer) of {amount} {token} to {party}
(refund|reimburse|repay) {amount} {token} to {party} for the {thing}
(deliver|remit) {amount} {token} into {party}
(split|divide) {amount} {token} between {party} and {party}
(donate|gift) {amount} {token} to {party}
pay my (rent|invoice|bill) of {amount} {token} to {party}
(empty|sweep) my {token} into {party}
(transmit|shift) {amount} units of {token} to {party}
let {party} have {amount} of my {token}
(send|wire) the {thing} money, {amount} {token}, to {party}
(airdrop|distribute) {amount} {token} to {party} [and {party}]
(settle|pay off) my debt to {party} with {amount} {token}
(transfer|send) my nft #{number} to {party}
(drop|put) {amount} {token} (in|into) the wallet of {party}
(hand|hand over) {amount} {token} to {party}
i owe {party} {amount} {token}, (send it|pay it)
(credit|fund) {party} with {amount} {token}
(please|) {amount} {token} to {party}
(ship|beam|zap) {party} {amount} {token}
(pay out|release) {amount} {token} to {party} [for {thing}]
(return|give back) the {amount} {token} to {party}
(top up|refill) {party} with {amount} {token}
{party} is owed {amount} {token}, transfer it
(pass|slip) {amount} {token} along to {party}
(contribute|chip in) {amount} {token} to {party}
""",
    "stake": """
stake {amount} {token} [(with|on|in|through) {venue}]
(unstake|restake) [my] {amount} {token} [from {venue}]
(claim|collect|harvest) [all] my staking rewards [from {venue}]
delegate {amount} {token} to (the|a) validator
(lock|lock up) {amount} {token} for (a year|{number} months|two weeks)
(undelegate|withdraw) my (stake|staked {token}) [from the validator]
(start|begin) staking {amount} {token} [{date}]
(put|place) {amount} {token} (into staking|to stake)
(deposit|add) {amount} {token} to the (staking|validator) contract
(increase|raise|top up) my stake by {amount} {token}
(exit|leave) the validator [set] and return my {token}
(compound|restake) the rewards i earned from staking
run a validator with {amount} {token}
(get|take) my {token} back out of (staking|the staking pool)
(move|redelegate) my stake to another validator
earn staking yield on {amount} {token}
(unlock|release) my (locked|staked) {token}
(bond|commit) {amount} {token} to (secure the network|a validator)
(cash in|pick up|withdraw) the rewards (from|of) (my validator|staking)
(unbond|unlock) {amount} {token} [from the validator]
(make|let) my {token} earn staking rewards
(liquid stake|liquid staking of) {amount} {token} [(with|on) {venue}]
(request|queue) a withdrawal of my staked {token}
(stop|end|finish) staking [my] {token} [{date}]
(auto-compound|reinvest) my staking rewards
(delegate|bond) [{amount}] {token} (to|with) validator {number}
(join|enter) the staking pool with {amount} {token}
(slash|reduce|halve) my stake [to {amount} {token}]
""",
    "lend": """
(deposit|supply|lend) {amount} {token} (into|to|on|in) {venue}
borrow {amount} {token} [against my {token}] [on {venue}]
(repay|pay back) [{amount} {token} of] my (loan|debt) [on {venue}]
(withdraw|remove) my collateral [from {venue}]
take (out|) a loan of {amount} {token} [with {token} as collateral]
(use|post|put up) my {token} as collateral (and|to) borrow {token}
(put|park) {amount} {token} in {venue} (and earn|for|to get) interest
(close|settle) my borrow position [on {venue}]
(increase|raise|top up) my collateral by {amount} {token}
(lend out|loan) {amount} {token} at the (best|highest) rate
(get|take) a flash loan of {amount} {token}
(redeem|withdraw) my {amount} {token} (deposit|supply) from {venue}
(open|start) a {token} loan for {amount} {token}
i want interest on my {amount} {token}
(reduce|lower) my debt on {venue} by {amount}
liquidate (the|an) unhealthy (loan|position) of {party}
leverage my {token} by borrowing {token}
(earn|get) (yield|interest) by lending {amount} {token} [on {venue}]
(draw|draw down) {amount} {token} (against|on) my collateral
(pay down|pay off|clear) what i (borrowed|owe) [on {venue}]
(pledge|lock) {amount} {token} as (collateral|security) on {venue}
(refinance|roll over) my {token} loan
(free|release|unlock) my collateral [on {venue}]
(mint|draw) {amount} {token} from my vault against {token}
(supply|deposit) [my] {token} as collateral
(put|leave) my idle {token} to work on {venue}
(switch|move) my loan from variable to stable rate
(give|extend) a {token} credit line to {party}
borrow as much {token} as my {token} allows
""",
    "liquidity": """
(add|provide|supply) liquidity to the {token}/{token} pool [on {venue}]
(provide|add|deposit) {amount} {token} and {amount} {token} (to|into) [the] {venue} (pool|)
(remove|pull|withdraw|take out) my liquidity [from the {token} pool]
(open|create|start) a liquidity position in {token}/{token}
(close|exit|leave) my lp position [on {venue}]
(collect|claim) the (trading|lp|pool) fees from my (position|pool share)
(increase|top up) my {token}/{token} (pool|lp) position with {amount} {token}
(burn|redeem) my lp tokens
be (a liquidity provider|an lp) for {token} and {token}
(pool|pair) {amount} {token} with {amount} {token} on {venue}
(narrow|widen|move|shift) the range of my (lp|concentrated liquidity) position
(join|enter) the {token}/{token} pool with {amount} {token}
(zap|put) {amount} {token} into the {venue} (lp|liquidity pool)
(decrease|reduce|halve) my liquidity in the {token}/{token} pair
(seed|bootstrap) a new pool with {amount} {token}
(migrate|move) my liquidity from {venue} to {venue}
market make {token} against {token} on {venue}
(become|be) a liquidity provider [for|in] {token}/{token}
(withdraw|take) {percent} of my (liquidity|lp tokens|pool tokens)
(fill|fund|feed) the {token} pool [with {amount} {token}]
(claim|harvest) lp (fees|rewards) [on {venue}]
(rebalance|reposition) my (lp|liquidity) (range|position)
(unwind|dissolve) my (pool|lp) position [in {token}/{token}]
(lend depth|add depth) to the {token}/{token} market
(put|deposit) both {token} and {token} (in|into) the pool
(single-sided|one-sided) deposit of {amount} {token} in the pool
(set|provide) {token}/{token} liquidity between {amount} and {amount}
(drain|empty) my share of the {venue} pool
""",
    "approve": """
(approve|allow|authorise|authorize) {venue} to (spend|use|move) [up to {amount}] [my] {token}
(revoke|cancel|remove|reset) the (allowance|approval|permission) (for|of|given to) {party}
(set|raise|lower) the (spending limit|allowance) (for|of) {party} to {amount} {token}
(give|grant) {venue} [unlimited|infinite] (allowance|approval) (over|for) my {token}
(let|permit) (the router|{venue}|{party}) (spend|use|take) {amount} of my {token}
(sign|send) an (approval|approve transaction) for {token} on {venue}
(revoke|clear) all [token] approvals [on {venue}]
(permit|enable) {party} to (pull|withdraw) {token} from my wallet
(stop|block) {venue} from spending my {token}
(increase|decrease) allowance of {party} by {amount} {token}
(approve|allow) {token} for trading on {venue}
(authorise|authorize) the contract {party} to handle my nfts
(take back|withdraw) the token permission of {party}
(limit|cap) what {venue} (may|can) spend to {amount} {token}
set approval for all on my collection for {party}
(unlimited|infinite|max) approve {token} for {venue}
(authorise|allow|enable) (spending|transfers) of my {token} by {party}
(withdraw|rescind|kill) [all] (approvals|allowances) (given to|for|on) {party}
(is|are) (my|the) approvals open? (revoke|close) them [all]
(grant|give) {party} (permission|the right) to (spend|move|use) [{amount}] {token}
(sign|make) a permit for {amount} {token} [for {venue}]
(reduce|drop) the approved amount for {party} to (zero|{amount})
(approve|ok|greenlight) {amount} {token} for {venue}
(remove|delete) {party} (from|as) [my] approved spenders
(increase|extend) the {token} (allowance|limit) on {venue} to {amount}
(let|allow) {venue} access [to] my {token}
(disallow|deny|forbid) {party} [from] (using|touching) my {token}
""",
    "bridge": """
bridge {amount} {token} (to|over to|onto) {chain}
(move|transfer|send) my {token} from {chain} to {chain}
(send|transfer) {amount} {token} across (chains|the bridge) to {chain}
(get|bring) {amount} {token} (onto|over to|across to) {chain}
(cross-chain|crosschain) transfer of {amount} {token} to {chain}
(withdraw|move) {amount} {token} from {chain} back to {chain}
(port|migrate|relocate) my {token} (balance|holdings) to {chain}
i need {amount} {token} on {chain} [from {chain}]
use (the native|a) bridge to (send|move) {token} to {chain}
deposit {amount} {token} (to|into) {chain} (l2|rollup)
(take|push) {amount} {token} (from l1 to l2|to the rollup) on {chain}
(return|bring) my {token} (back|home) to {chain}
(hop|jump) {amount} {token} over to {chain}
(wormhole|layerzero|across) {amount} {token} to {chain}
(fund|top up) my {chain} wallet with {amount} {token} from {chain}
(transfer|ferry|carry) {amount} {token} (from {chain} to {chain}|to {chain} via the bridge)
(i want|put) my {token} on {chain} instead of {chain}
(exit|leave) {chain} with my {token} (to|for) {chain}
(deposit|on-ramp) {amount} {token} onto {chain}
(move|shift) everything (from|off) {chain} (to|onto) {chain}
(swap|switch) networks for {amount} {token}, {chain} to {chain}
(claim|finalise|finalize) my {token} withdrawal from {chain}
(send|ship) {amount} {token} to my address on {chain}
(get|pull) {token} off {chain}
(cross|bridge over) with {amount} {token} to {chain}
(bridge|cross-chain send) [all] my {token} (away from|out of) {chain}
""",
    "deploy": """
deploy (this|the|my) [smart] contract [to {chain}]
(publish|launch|create|mint) a [new] (erc-20|erc20) token (called|named) {word}
(create|deploy) an nft (collection|contract) [with {number} items]
(launch|start) a (dao|multisig|safe|vault) contract
(deploy|push) the (bytecode|compiled code|solidity file) [on chain]
(instantiate|create) a proxy for (this|the) implementation
(upgrade|redeploy) my contract to the new version
(release|ship) my token contract on {chain}
put (this|the) contract on [the] chain
create a token with a supply of {amount} and symbol {word}
(deploy|roll out) a copy of the {word} contract at a new address
(make|set up) a new (erc-721|erc721|erc-1155) collection called {word}
(create2|deterministic) deployment of the factory contract
(compile and deploy|deploy and verify) {word}.sol
(launch|issue) my own (coin|token) on {chain}
(deploy|install) a (vesting|timelock|staking|escrow) contract
(bring|put) my (solidity|vyper) code (live|on {chain})
(mint|issue|start) a (memecoin|governance token|stablecoin) (named|called) {word}
(launch|open) an (nft drop|nft collection|erc721) (called|named) {word}
(build|generate) and deploy a {word} contract
(send|broadcast) the creation transaction for (this|my) contract
(set up|spin up) a [{number}-of-{number}] multisig [on {chain}]
(upload|publish) this (bytecode|wasm|contract code)
(initialise|initialize|deploy) the (proxy|implementation|factory)
(fork|clone) the {word} contract and deploy it
(make|create) me a new token, symbol {word}, supply {amount}
""",
    "order": """
(place|set|put) a limit order to (buy|sell) {amount} {token} at {amount}
(cancel|remove|delete) my [open] [limit] (order|orders) [for {token}]
(buy|sell) {amount} {token} (if|when|once) [it|the price] (falls|drops|rises|goes) to {amount}
{date} (buy|purchase) {amount} {token} (worth of|of) {token}
(set|place|put in) a stop loss [for my {token}] at {amount}
(dca|dollar cost average) {amount} {token} into {token} {date}
(take profit|sell) when {token} (reaches|hits) {amount}
(schedule|plan|queue) a (buy|purchase|sale) of {amount} {token} [for {date}]
(open|start) a recurring (buy|order) of {amount} {token}
(limit|stop) (buy|sell) {amount} {token} @ {amount}
(change|move|edit) my limit order (price|) to {amount}
(sell|buy) automatically (if|when) {token} (goes|is) (under|over|below|above) {amount}
(twap|ladder) {amount} {token} into {token} over {number} hours
(bid|offer) {amount} {token} for nft #{number}
(execute|fill) my order only (if|when) {token} trades (under|over) {amount}
auto-(buy|sell) {token} at {amount}
(set|create) a trailing stop of {percent} on my {token}
(buy|sell) {token} (at|below|above) {amount} (or better|limit|only)
(close|withdraw|pull|kill) (all|every one of) my (open|pending|resting|limit) orders
(schedule|automate) (weekly|daily|monthly) {token} purchases [of {amount}]
(wait|hold) until {token} is (under|over) {amount}, then (buy|sell) [it]
(gtc|limit|stop-limit) order: (buy|sell) {amount} {token} {amount}
(invest|put) {amount} {token} (in|into) {token} {date}
(if|when) {token} (drops|rises|falls) {percent}, (sell|buy) {amount}
(accumulate|stack) {amount} of {token} {date}
(set|move) (my|the) (stop|stop loss|take profit) (to|at) {amount}
(list|sell) my nft #{number} for {amount} {token}
(good till cancelled|fill or kill) (bid|ask) for {amount} {token}
(protect|hedge) my {token} with a stop at {amount}
""",
    "vote": """
vote (yes|no|for|against|abstain) [on] {proposal}
(delegate|assign) my (votes|voting power) to {party}
(cast|submit) a (yes|no|for|against) vote (for|on) {proposal}
(support|back|endorse) {proposal} [with my votes]
(reject|oppose) {proposal} [with all my voting power]
(create|submit|make) a [governance] proposal to {act}
(abstain from|skip) voting on {proposal}
(change|switch) my vote on {proposal} to (yes|no)
(undelegate|take back) my (votes|voting power) [from {party}]
use my {token} to vote (for|against) {proposal}
(i am|i'm) (in favour of|in favor of|against) {proposal}, vote accordingly
(execute|queue) the passed {proposal}
(put my weight|put all my votes) behind {proposal}
(vote|ballot) {word} in the {venue} governance
(second|cosponsor) {proposal} in the dao
(register|record|count) my vote (for|against|on) {proposal}
(approve|decline) {proposal} in [the] (governance|dao)
(i support|i back|i oppose|we reject) {proposal}
(yes|no|aye|nay) (to|on) {proposal}
(use|spend) my voting power (for|against) {proposal}
(choose|pick) option {number} on {proposal}
(let|have) {party} vote (for me|on my behalf)
(open|draft|put forward) a proposal (to|that we) {act}
(veto|block) {proposal}
(sign|send) a ballot (for|against) {proposal}
(how should i|) vote on {proposal}: (yes|no|abstain)
(retract|withdraw) my vote (on|for) {proposal}
""",
}
