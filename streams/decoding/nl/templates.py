"""Templates from which the language classifier's examples are made, one a line.

``(a|b)`` is a choice, ``[a]`` may be left out, ``{token}`` is filled from a pool. Lines are held out as a whole, so an
example that is measured never shares its line with one that was learnt from.
"""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
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
""",
    "balance": """
(what is|what's|show|check|tell me) my [{token}] balance
how (much|many) {token} do i (have|own|hold) [right now]
(show|list|display) [all] my (holdings|assets|tokens)
(what is|what's) (the value of my portfolio|my portfolio worth|my net worth) [{date}]
how much [{token}] is in (my wallet|{party})
(portfolio|account) (value|overview|summary) [of {party}]
which tokens (does {party} hold|do i hold|are in my wallet)
(do i have|have i got) enough {token} (left|for gas|to pay {amount})
(balance|holdings) of {party}
(count|sum up) my {token} across all wallets
(what|how much) do i (own|have) [in total]
is there any {token} (left in|on) (my account|{party})
(give me|i want) an overview of my funds
(remaining|available|spendable) {token} (balance|funds)
how big is my {token} (position|bag|stack)
what nfts (do i own|are in my wallet)
""",
    "history": """
what did {agent} (trade|do|buy|sell) [{date}]
(show|list|give me) my (last|latest|recent) {number} transactions
(list|show|find) all (swaps|transfers|trades|payments) (by|of|from) {party} [{date}]
who sent me {token} [(in|at) {block}]
(find|search) transactions (similar to|like) (this one|the one {date})
(what|which) transactions (happened|were there) (in|between) {block}
when did i (last|first) (swap|use|interact with|pay) {party}
(show|get) the (history|activity|log) of {party} [since {date}]
(which|how many) of my transactions (failed|reverted) [{date}]
(did|has) {party} (pay|paid|send|sent) me [anything] [{date}]
what (happened|went on) (on chain|with my wallet) {date}
(recall|look up) my (previous|past|earlier) trades (on {venue}|with {party})
(how much|what) did i spend on gas [{date}]
(what was|show me) the last thing {agent} did
(summarise|summarize|recap) my activity [of|for] {date}
(where|to whom) did my {token} go
(trace|follow) the {token} that left {party}
(what have i|what did we) (approved|approve|bought|buy|sold|sell) so far
""",
    "price": """
(what is|what's) the (price|value|rate) of {token} [{date}]
how much is {amount} {token} (in|worth in) {token}
(quote|price) for {amount} {token} (to|in) {token}
(what is|what's) the [current] gas price
{token} price [(now|please|today)]
how (expensive|cheap) is (gas|{token}) [right now|at the moment]
(how much|what) (would|will) i get for {amount} {token}
(show|get) [me] the (exchange rate|quote) (between|from) {token} (and|to) {token}
(what is|what's) {token} trading at [on {venue}]
where can i get the best (rate|price) for {token}
(is|has) {token} (up|down|gone up|dropped) [{date}]
(what does|how much does) one {token} cost
(estimate|check) the (fee|gas cost|cost) of a (swap|transfer)
(apy|apr|interest rate|yield) (of|on|for) {token} (on|in) {venue}
(current|latest|spot) {token}/{token} (rate|price)
(what is|what's) the floor price of the {word} collection
""",
    "alert": """
(alert|notify|warn|ping|tell) me (when|if|once) {token} (drops|falls|goes|rises) (below|under|above|over) {amount}
(let me know|tell me|inform me) (when|once|if|as soon as) {party} (trades|moves|sells|buys) [{token}]
(notify|alert|ping) me (if|when) gas (goes|is|drops) (under|below) {amount} gwei
(set|create|add) an (alert|alarm|notification) for {token} at {amount}
(watch|monitor) {party} (and tell me|and notify me|for me) [if anything happens]
(warn|message) me (if|when|before) my (health factor|collateral|position) (falls|gets) (below|under|near) {amount}
(send|give) me a (message|notification|ping|warning) when my (order|transfer|swap) (is done|fills|fails)
keep an eye on (the {token} price|{party}|gas)
(raise|trigger) an alarm (if|when) more than {amount} {token} leaves my wallet
(notify|tell) me (every time|whenever) {agent} (does something|acts|makes a trade)
(email|text) me (when|if) the {token} price (moves|changes) by {percent}
(i want|i'd like) to (hear|know) (when|once) {proposal} (passes|closes|is live)
(subscribe|sign me up) to (updates|alerts|news) (on|for|about) {party}
wake me (when|if) {token} (crashes|moons|hits {amount})
(turn on|enable) price alerts for {token}
(stop|mute|remove) the alert (on|for) {token}
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
""",
    "memory_store": """
(remember|memorise|memorize) (that|this:) {fact}
(store|save|keep) (this|the following) [note|fact] [for later]: {fact}
(note|note down|write down|jot down) that {fact}
(make|take|leave) a note (that|saying) {fact}
(keep in mind|bear in mind|do not forget|don't forget) that {fact}
(save|set|record) {party} as my (default|main|cold|trading) wallet
(save|store|remember) my (preference|setting) [of|for] {percent} slippage
for (future|later) (reference|use)[,] {fact}
(add|put) (this|that) (to|in|into) (your|the) [long-term] memory: {fact}
(always|by default) (remember|assume|keep in mind) {fact}
from (now|today) on[,] {fact}
(label|name|tag) {party} as (my exchange|my brother|the treasury|suspicious)
(learn|know|understand) that {fact}
(my|our) (favourite|favorite|preferred) (exchange|venue|dex) is {venue}, (remember it|keep that)
(log|file) this observation: {fact}
(update|correct) your notes: {fact}
""",
    "memory_forget": """
forget (that|what i said|what i told you) [about {topic}]
(forget|delete|erase|remove) (my|the) (note|memory|memories|preference|preferences) (about|on|for|of) {topic}
(erase|wipe|clear|purge) (everything|all) you (know|remember|stored) about {topic}
(delete|drop|remove) (memory|note) {hash}
(please do not|stop) (remembering|keeping|storing) {topic}
(discard|throw away|drop) (my|the) (old|previous|last|saved) (note|preference|setting) [about {topic}]
(clear|reset|wipe) (your|my|the) memory [of {topic}] [{date}]
(unlearn|unremember) (that|what you know about {topic})
(remove|take) (what i told you|this) (from|out of) (your|the) memory
you (can|may|should) forget (about {topic}|that now)
(delete|erase) all (memories|notes) (from|older than|since) {date}
(i no longer want|i don't want) you to (know|remember|keep) {topic}
(scrap|undo) the last thing you (stored|saved|learned)
(my|the) (note|preference) (about|on) {topic} is (outdated|wrong)[,] (delete|drop) it
(expunge|redact) {topic} from your (records|notes|memory)
""",
    "collaborate": """
(work|team up|collaborate|cooperate) with {agent} [on {topic}]
(ask|tell|request) {agent} to (help|analyse|check|handle|review) {topic}
(invite|bring in|involve) {agent} (to|for|in) {topic}
(delegate|hand over|assign|pass) (this|the) (task|job|work) [on {topic}] to {agent}
(share|exchange) (my|your|our) (notes|findings|context|signals|memories) with {agent}
(start|open|set up) a (joint|shared|common) (session|strategy|project) with {agent}
(coordinate|sync|align) (with {agent}|our positions with {agent}) [on {topic}]
(let|have) {agent} (take over|do|review|handle) {topic}
(form|build|join) a (team|group|coalition) with {agent} and {agent}
(send|forward) {topic} to {agent} for (review|a second opinion|feedback)
(propose|offer) a (partnership|collaboration|deal) to {agent}
(which|what) (agent|agents) (can|could) (help|assist) [me|us] with {topic}
(get|ask for|request) {agent}'s (opinion|advice|view) on {topic}
(combine|pool|merge) (our|my) (knowledge|forces|data) with {agent}
(outsource|subcontract) {topic} to {agent}
""",
}
