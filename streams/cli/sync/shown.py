"""Findings of a comparison as text."""

from __future__ import annotations

import click

from streams.repair.outcome import Outcome
from streams.serving.sync.findings import AgentDifference, Findings, SideView

VERDICTS = {
    "equal": "equal",
    "behind": "equal as far as this deployment goes: it is behind",
    "ahead": "equal as far as the peer goes: this deployment is ahead",
    "forked": "on different branches of the chain",
    "differs": "different",
}
SIDES = {"here": "only here", "there": "only at the peer", "both": "on both sides, not the same"}
MEMORIES = 20


def show(findings: Findings) -> None:
    """Prints them."""
    click.echo(VERDICTS[findings.verdict])
    for name, side in (("here", findings.here), ("peer", findings.there)):
        click.echo(f"  {name}: {_side(side)}")
    if not findings.same_rules:
        click.echo("  the two have other versions, or other registered agents (chain.agents): other memories are no damage")
    at = "no block" if findings.compared_at is None else f"block {findings.compared_at}"
    mine, theirs = findings.requests
    click.echo(f"  compared at {at}, {findings.checkpoints} checkpoints in common, {mine} + {theirs} requests")
    if (divergence := findings.divergence) is not None:
        what = "other blocks" if divergence.kind == "branch" else "the log says something else of the same block"
        after = "the beginning" if divergence.after is None else f"block {divergence.after}"
        click.echo(f"logs: equal up to {after}; {what} at block {divergence.at}, the next one kept")
    else:
        click.echo("logs: equal")
    if (stores := findings.stores) is None:
        return
    if stores.equal:
        click.echo("stores: equal")
        return
    first = "" if stores.first_block is None else f", first at block {stores.first_block}"
    click.echo(f"stores: {len(stores.agents)}{'+' if stores.more else ''} agents differ{first}")
    for agent in stores.agents:
        _agent(agent)


def _agent(agent: AgentDifference) -> None:
    notes = [f"{what} {'on both sides' if side == 'both' else side}" for what, side in _marks(agent)]
    click.echo(f"  {agent.agent} {SIDES[agent.side]}{': ' if notes else ''}{', '.join(notes)}")
    for memory in agent.memories[:MEMORIES]:
        click.echo(f"    {memory.memory_id} block {memory.block}, {SIDES[memory.side]}")
    if len(agent.memories) > MEMORIES:
        click.echo(f"    and {len(agent.memories) - MEMORIES} more")


def _marks(agent: AgentDifference) -> list[tuple[str, str]]:
    marks = (("erased", agent.erased), ("unreadable", agent.unreadable))
    return [(what, side) for what, side in marks if side is not None]


def _side(side: SideView) -> str:
    head = "an empty log" if side.head is None else f"log up to block {side.head}"
    settled = "nothing taken in" if side.settled is None else f"memories up to block {side.settled}"
    return f"{head}, {settled}, {side.partitions} partitions, version {side.version}"


CAUSES = {
    "store": "the store here was not what the log says",
    "log": "the log here is not what the chain says",
    "peer": "log and store here are right: the peer is wrong",
    "erased": "erased on one side; nothing is wrong",
    "unreadable": "its rows here cannot be read",
    "undecided": "log and store here agree, and the chain could not be asked",
}
LOGS = {
    "here": "the log here is not what the chain says",
    "peer": "the log here is what the chain says: the peer's is not",
    "state": "the log here is right, what the memory agent made of it is not",
    "neither": "the chain has another block there than either",
    "undecided": "whose log is right is not known: the chain could not be asked",
}


def show_outcome(outcome: Outcome) -> None:
    """Prints what was found and done."""
    if outcome.log is not None:
        click.echo(f"block {outcome.log.block}: {LOGS[outcome.log.fault]}")
    for agent in outcome.agents:
        parts = ((agent.lacked, "lacked"), (agent.altered, "altered"), (agent.extra, "too many"))
        counts = ", ".join(f"{count} {what}" for count, what in parts if count)
        done = "mended: " if agent.mended else ""
        click.echo(f"{agent.agent} {done}{CAUSES[agent.cause]}{f' ({counts})' if counts else ''}")
    for what in outcome.left:
        click.echo(f"to do: {what}")
    if outcome.sound:
        click.echo("nothing is left to do here")
