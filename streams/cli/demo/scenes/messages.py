"""Components that talk over exex.messages: in turn, signed, and each to be answered alone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from schemas.codec import codec
from schemas.records import Message
from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.scrape import total
from streams.cli.demo.system import System
from streams.serving.client_errors import UnreachableError
from streams.serving.messages.asking import MessageClient
from streams.serving.messages.envelope import GATEWAY, by_writer
from streams.serving.messages.queries import QUERIES
from streams.serving.tail import TopicTail, each
from streams.signing import Signer, Verifier, load_or_create_signer, load_verifier
from streams.topics import MESSAGES

SECONDS = 20.0
FORGED_SECONDS = 1.5
AT_ONCE = 16
"""Messages under way at once: half of what a gateway answers at once."""


def signer_of(system: System) -> Signer:
    """The key that its own programs write with."""
    return load_or_create_signer(system.settings.path(system.settings.security.signing_key_file))


def trusted_by(system: System) -> Verifier:
    """Whose signatures count there."""
    return load_verifier(system.settings.path(system.settings.security.trusted_keys_file), signer_of(system))


def component(system: System, signer: Signer | None = None) -> MessageClient:
    """A component that asks; ``signer``: another key than the system's own."""
    return MessageClient(system.settings.kafka, trusted_by(system), signer or signer_of(system))


@dataclass(slots=True)
class Overheard:
    """Messages of the topic, as any reader of it sees them: each with the bytes it was read from."""

    messages: list[tuple[Message, bytes]] = field(default_factory=list)

    def take(self, value: bytes | None) -> None:
        """One record."""
        if value is not None and (decoded := codec().decode(value))[0] == "Message":
            self.messages.append((decoded[1], value))

    def asked_by(self, name: str) -> list[tuple[Message, bytes]]:
        """Questions of a component."""
        return [pair for pair in self.messages if pair[0]["source"] == name]

    def answered_to(self, name: str) -> list[tuple[Message, bytes]]:
        """Answers to it."""
        return [pair for pair in self.messages if pair[0]["target"] == name and pair[0]["source"] == GATEWAY]


@asynccontextmanager
async def overhearing(system: System) -> AsyncIterator[tuple[Overheard, TopicTail]]:
    """What is said meanwhile; a ``barrier`` of the tail has read all of it."""
    heard = Overheard()
    fold = each(system.settings.kafka, MESSAGES, lambda record: heard.take(record.value))
    tail = TopicTail(system.settings.kafka, MESSAGES, fold, newest=True)
    tail.start()
    try:
        await tail.barrier(SECONDS)
        yield heard, tail
    finally:
        await tail.stop()


async def talk(system: System, agents: Sequence[bytes], count: int) -> Metrics:
    """``count`` questions of two components in turn. Raises CheckError unless each was answered once, to who asked, signed."""
    answered = await total(system, "messages_total", outcome="answered")
    async with AsyncExitStack() as stack:
        heard, tail = await stack.enter_async_context(overhearing(system))
        memory = await stack.enter_async_context(component(system))
        rag = await stack.enter_async_context(component(system))
        for number in range(count):
            agent = agents[number % len(agents)]
            if number % 2 == 0:
                answer = await memory.ask("AgentMemoryState", agent, seconds=SECONDS, limit=5)
            else:
                answer = await rag.ask("ContextRetrieval", agent, seconds=SECONDS, text="what did I do?", max_results=3)
            expect(answer["agent"] == f"0x{agent.hex()}", f"the answer is of agent {answer['agent']}, not of 0x{agent.hex()}")
        await tail.barrier(SECONDS)
        balance = [_turns(system, heard, one, share) for one, share in ((memory, count - count // 2), (rag, count // 2))]
    grown = await total(system, "messages_total", outcome="answered") - answered
    expect(grown == count, f"messages_total counts {grown:.0f} answers more, {count} were given")
    return {"messages": count, "answers": grown, "of each component": " + ".join(map(str, balance)), "signed": 2 * count}


def _turns(system: System, heard: Overheard, one: MessageClient, share: int) -> int:
    trusted = trusted_by(system)
    asked, answers = heard.asked_by(one.name), heard.answered_to(one.name)
    expect(len(asked) == share, f"{one.name} is in the topic with {len(asked)} questions, it asked {share}")
    expect(
        sorted(question["id"] for question, _ in asked) == sorted(answer["answers"] or b"" for answer, _ in answers),
        f"{one.name} asked {share} questions, and {len(answers)} answers are not one to each",
    )
    unsigned = sum(not by_writer(trusted, *pair) for pair in (*asked, *answers))
    expect(unsigned == 0, f"{unsigned} messages of {one.name} have no signature that is trusted")
    return len(asked)


async def stranger(system: System, agent: bytes) -> Metrics:
    """A question signed with a key that nobody knows. Raises CheckError if it is answered."""
    before = await total(system, "messages_total", outcome="unsigned")
    async with component(system, Signer(secrets.token_bytes(32))) as forged:
        try:
            await forged.ask("AgentMemoryState", agent, seconds=FORGED_SECONDS)
        except UnreachableError:
            refused = True
        else:
            refused = False
    expect(refused, "a question signed with an unknown key was answered")
    seen = await total(system, "messages_total", outcome="unsigned") - before
    expect(seen == 1, f"the gateway counts {seen:.0f} unsigned messages more, one was sent")
    return {"strangers left without an answer": 1}


async def load(system: System, agents: Sequence[bytes], count: int) -> Metrics:
    """``count`` questions, ``AT_ONCE`` of them under way. Raises CheckError unless all were answered."""
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(one: MessageClient, number: int) -> Any:
        async with room:
            return await one.ask("CheckpointRequest", agents[number % len(agents)], seconds=SECONDS)

    async with component(system) as one:
        answers = await asyncio.gather(*(ask(one, number) for number in range(count)), return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    expect(not failed, f"{len(failed)} of {count} questions had no answer, the first: {failed[0] if failed else ''}")
    names = [answer["agent"] for answer in answers if not isinstance(answer, BaseException)]
    wrong = sum(name != f"0x{agents[n % len(agents)].hex()}" for n, name in enumerate(names))
    expect(wrong == 0, f"{wrong} answers are of another agent than was asked about")
    return {"messages under load": count, "answered": count - len(failed)}


async def six_questions(system: System, agents: Sequence[bytes]) -> Metrics:
    """All questions about a state over messages, held against the same over HTTP. Raises CheckError where they differ."""
    async with component(system) as one, system.async_client() as http:
        for agent in agents:
            root = await http.root(agent)
            block = root.block.number if root.block is not None else 0
            fields: dict[str, dict[str, Any]] = {
                "AgentMemoryState": {"limit": 20},
                "MemoryHashVerification": {"expected": root.merkle_root},
                "ContextRetrieval": {"text": "what did I do?"},
                "StateTransition": {"from": max(0, block - 3), "to": block},
                "CrossAgentSync": {"mode": "Full"},
                "CheckpointRequest": {},
            }
            said = {query: await one.ask(query, agent, seconds=SECONDS, **fields[query]) for query in QUERIES}
            state, sync = said["AgentMemoryState"], said["CrossAgentSync"]
            expect(state["root"]["merkle_root"] == root.merkle_root, "AgentMemoryState has another root than HTTP")
            expect(len(state["proofs"]) == len(state["items"]), "AgentMemoryState lacks proofs")
            expect(said["MemoryHashVerification"]["matches"], "MemoryHashVerification denies the published root")
            lie = await one.ask("MemoryHashVerification", agent, seconds=SECONDS, expected="0x" + "77" * 32)
            expect(not lie["matches"], "MemoryHashVerification takes any root")
            live = {memory.id for memory in (await http.retrieve(agent, limit=1_000)).items}
            expect(live <= set(sync["live"]), f"CrossAgentSync lacks {len(live - set(sync['live']))} of {len(live)} memories")
            expect(
                {item["citation"]["memory_id"] for item in said["ContextRetrieval"]["items"]} <= live,
                "ContextRetrieval has foreign rows",
            )
            expect(said["CheckpointRequest"]["stream_agents"].keys() >= {"memory", "lattice"}, "CheckpointRequest lacks agents")
            expect(said["StateTransition"]["complete"], "StateTransition lacks a root between")
    return {"agents": len(agents), "questions": len(QUERIES) * len(agents), "equal to HTTP": True}
