"""Templates of requests that ask, watch, remember or talk to another agent; see ``templates``."""

from __future__ import annotations

ASKING: dict[str, str] = {
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
(how much|what) (money|value|funds) (do i|does {party}) have
(tell|show) me what (is in|sits in) (my wallet|{party})
(wallet|account) (balance|status|contents) [of {party}] [please]
(what|which) (assets|coins|tokens) (do i|does {party}) (own|hold|have)
(total|combined) (value|worth) of (my|all my) (assets|tokens|wallets)
(am i|are we) (rich|broke|low on {token})
(break down|itemise) my (portfolio|holdings)
(do i|does {party}) (have|hold|own) [any] {token}
my {token} (balance|amount|holdings) (please|now|on {chain})
(list|give me) the contents of {party}
(how many|any) {token} (remaining|left) [in my wallet]
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
(when|at what time) did {party} (move|receive|sell) {token}
(give|show) me the (transaction|trade) log [of {party}] [for {date}]
(what|which) (swaps|trades|votes|payments) did (i|{agent}) (make|do) [{date}]
(has|did) {agent} (trade|vote|swap|borrow)d? [anything] [{date}]
(everything|all) (that happened|i did) (in|since|around) {block}
(how often|how many times) did i use {venue}
(find|dig up|pull up) the (payment|swap|transaction) (from|of) {date}
(who|which address) (did i pay|paid me|received my {token}) [{date}]
(remind me|tell me) what i did (with my {token}|{date})
(report|timeline) of (my|{agent}'s) (actions|activity) (between|in) {block}
(was|were) there (any|a) (failed|large) (transfers|transaction) [{date}]
what was my (biggest|largest|first|last) (trade|swap|payment) [{date}]
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
(tell|give) me the {token} (price|rate|value) [in {token}]
how (many|much) {token} (is|for|equals) {amount} {token}
(price|cost) of {amount} {token}
(what's|what is) {amount} {token} worth [in {token}] [{date}]
(convert|translate) the value of {amount} {token} to {token}, do not trade
(is|are) (gas|fees) (high|low|cheap|expensive) [now|{date}]
(how has|how did) {token} (moved|perform|performed) [{date}]
(fetch|look up|check) the (oracle|market|spot) price (for|of) {token}
(compare|best) (quotes|rates) for {token} on {venue}
what (rate|yield|apy) does {venue} (pay|give) on {token}
(gas|base fee|gwei) (price|level|right now)
(what|how much) does it cost to (swap|bridge|send) {token}
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
(inform|message|email) me (when|if|once) {token} (reaches|crosses|hits) {amount}
(let me know|shout) (if|when|once) {proposal} (starts|ends|passes)
(set up|make) a (reminder|alert|watch) (when|for when) {party} (acts|gets paid|moves)
(i need|give me) (a heads up|a warning) (if|before|when) (gas|{token}) (spikes|drops)
(track|follow|watch) {token} and (warn|tell|ping) me (below|above) {amount}
(notify|alert) [me] on (large|whale|suspicious) (transfers|moves) of {token}
(ping|buzz|page) me (when|once) (the swap|my transaction|the bridge) (confirms|completes|fails)
(remind|tell) me {date} to (claim|vote|check my position)
(alarm|alert) (at|on) {percent} (drop|rise) (in|of) {token}
(report|flag) (whenever|if|when) {agent} (spends|borrows|sells) (over|more than) {amount}
(cancel|delete|silence) (my|all) (alerts|notifications) [for {token}]
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
(remember|note|record): {fact}
(please|) (don't lose|hold on to) this (fact|detail|thought): {fact}
(commit|save) (this|the following) to memory[:] {fact}
(you should|please) (know|remember|be aware) that {fact}
(my|our) (default|preferred|usual) (slippage|wallet|exchange) is (now|) {percent}, (save|remember) (it|that)
(archive|store) for later[:] {fact}
(write|put) (it|this) (in|into) your notes: {fact}
(set|change) my (default|preferred) (slippage|gas limit|wallet) to {percent} and remember it
(take|make) (note|a mental note)[:] {fact}
(never|do not) forget: {fact}
next time[,] (remember|recall|know) that {fact}
i want you to (remember|memorise|store|keep) that {fact}
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
(remove|erase|delete) (it|this|that|them) from (your|the) memory
(drop|ignore|forget) what i (said|told you|asked) (earlier|{date}|about {topic})
(cancel|revoke|discard) my (stored|saved|old) (preference|settings|notes) [for {topic}]
(that|the) (memory|note) (is wrong|no longer holds), (erase|remove|forget) it
(wipe|clean|clear) (all|) (notes|memories|records) (on|about|of) {topic}
(lose|bin|trash) the (note|memory) (on|about) {topic}
(don't|do not) (remember|keep|store) (that|{topic}) (any more|anymore|any longer)
(purge|clear out) (old|outdated|expired) memories
memory {hash} (can go|must go|should be deleted)
(let go of|get rid of) (the note|everything you know) (on|about) {topic}
(take back|undo) (the|that) (memory|note) (about|on) {topic}
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
(join forces|partner|pair up|cooperate) with {agent} (on|for) {topic}
(let|get) {agent} and {agent} (work together|coordinate|cooperate) [on {topic}]
(contact|reach out to|message) {agent} about (working together|{topic}|a joint plan)
(hire|engage|recruit) {agent} (for|to handle|to do) {topic}
(show|give) {agent} (my|our) (notes|plan|research) (on|about) {topic}
(have|ask) {agent} (double check|review|verify) (my|the) (plan|trade|analysis)
(find|look for|suggest) an agent (to work with|that knows about|for) {topic}
(divide|split) (the work|the task|{topic}) (with|between me and) {agent}
(could|can|would) {agent} (help|assist) [me|us] (on|with) {topic}
(negotiate|agree) (on {topic}|terms|a plan) with {agent}
(consult|check with|talk to) {agent} (on|about|before) {topic}
""",
}
