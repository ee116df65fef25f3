"""``monmouth mcp``: the gateway's memories for hosts of language models, over stdio or HTTP."""

from __future__ import annotations

import asyncio

import click

from streams.cli.asking import gateway_option, gateway_url, token
from streams.errors import ConfigurationError
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.client import AsyncClient
from streams.serving.faults import BadRequestError
from streams.settings import Settings


async def _over_stdio(settings: Settings, url: str, agent: str | None) -> None:
    from streams.serving.mcp.caller import always  # noqa: PLC0415  (keeps --help quick)
    from streams.serving.mcp.server import MemoryServer  # noqa: PLC0415

    allowed = settings.gateway.allow_unencrypted
    async with AsyncClient(url, token=token(settings, url), allow_unencrypted=allowed) as client:
        await MemoryServer(always(client), agent).run_stdio_async()


@click.command()
@click.option("--agent", metavar="ADDRESS", help="The agent that calls are about which name none.")
@gateway_option
@click.pass_obj
def mcp(settings: Settings, agent: str | None, url: str | None) -> None:
    """Serve the gateway's memories to a language model's host, by the Model Context Protocol on stdin and stdout.

    The host starts this command itself; see docs/agents.md for its settings. The caller's token comes from
    MONMOUTH_GATEWAY_TOKEN, or from the file that MONMOUTH_GATEWAY_TOKEN_FILE names, which only you may be able to read.

    \b
    Examples:
      monmouth mcp --agent 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
      monmouth mcp --gateway http://127.0.0.1:8080
    """
    address = gateway_url(settings, url)
    asyncio.run(_over_stdio(settings, address, _address(agent)))


def _address(agent: str | None) -> str | None:
    try:
        return None if agent is None else to_hex(parse_agent(agent))
    except BadRequestError as error:
        raise ConfigurationError(error.message, error.hint) from None
