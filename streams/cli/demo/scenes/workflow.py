"""What an agent does all day: it recalls, decides, remembers the decision, proves its state, tells others, agrees with them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from connectors.chain.devchain import sample_questions
from connectors.chain.devchain.shapes import transactions_json
from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.scenes.messages import SECONDS, component
from streams.cli.demo.system import System
from streams.serving.client import AsyncClient
from streams.serving.messages.asking import MessageClient

WAIT = 20.0
ALH_SECONDS = 15.0


async def workflow(system: System, agents: Sequence[bytes]) -> Metrics:
    """Every agent's day once. Raises CheckError at the first step that is not what it must be."""
    times: list[float] = []
    async with component(system) as messages, system.async_client() as client:
        for agent in agents:
            began = time.monotonic()
            await day(system, client, messages, agent)
            times.append(time.monotonic() - began)
    return {"agents": len(agents), "steps": 6 * len(agents), "mean seconds a workflow": sum(times) / len(times)}


async def day(system: System, client: AsyncClient, messages: MessageClient, agent: bytes) -> str:
    """Recall, decide, store, prove, tell, agree; id of the memory of the decision. Raises CheckError, GatewayError."""
    question = next((q for q in sample_questions(system.chain) if q.agent == agent), None)
    recalled = await client.query_context(agent, question.text if question else "what did I do last?", 3, min_similarity=-1.0)
    expect(bool(recalled.items), f"0x{agent.hex()} recalls nothing")
    if question is not None:
        found = [item.memory_id for item in recalled.items]
        expect("0x" + question.memory_id.hex() in found, f"0x{agent.hex()} does not recall the answer to {question.text!r}")
    intent = await client.parse_intent(_last_transaction(system, agent))
    decision = f"decision {secrets.token_hex(4)}: {intent.intent} once more, as of block {system.chain.head.number}"
    receipt = await client.store(agent, decision, importance=0.9, tags=["decision"], wait=WAIT)
    expect(receipt.visible, f"the decision of 0x{agent.hex()} does not show")
    state = await client.agent_state(agent, proofs=True, wait_for=receipt.write_token, wait=ALH_SECONDS)
    expect(receipt.memory_id in [item.id for item in state.items], "the state does not hold the decision")
    told = await messages.ask("ContextRetrieval", agent, seconds=SECONDS, text=decision, max_results=3)
    named = [item["citation"]["memory_id"] for item in told["items"]]
    expect(receipt.memory_id in named, "over messages the decision is not found")
    same = await messages.ask("MemoryHashVerification", agent, seconds=SECONDS, expected=state.root.merkle_root)
    expect(same["matches"], "over messages the state has another root")
    return receipt.memory_id


def _last_transaction(system: System, agent: bytes) -> dict[str, Any]:
    """The agent's newest, as a node prints it."""
    name = "0x" + agent.hex()
    for built in reversed(list(system.chain.line())):
        found = [each for each in transactions_json(built.block) if each["from"].lower() == name]
        if found:
            return found[-1]
    raise LookupError(f"{name} has no transaction yet")
