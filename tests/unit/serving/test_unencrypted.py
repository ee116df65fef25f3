"""A token goes to no other machine in the clear, whichever client shows it, unless the caller says that it may."""

from __future__ import annotations

import pytest

from streams.identity.bls import SecretKey
from streams.serving import calls
from streams.serving.client import AgentKey, AsyncClient, Client
from streams.serving.client_errors import UnencryptedError
from streams.serving.several import OverSeveral
from streams.serving.sync.partner import PartnerError, over_http

TOKEN = "a-word-that-nobody-may-see"
FAR = ["http://gateway.example:8080", "http://10.0.0.1", "http://localhost.evil:8080", "http://0.0.0.0:8080"]
CLIENTS = [Client, AsyncClient]


@pytest.mark.parametrize("url", FAR)
@pytest.mark.parametrize("made", CLIENTS)
def test_a_client_that_would_show_a_token_is_not_made(made: type[Client | AsyncClient], url: str) -> None:
    for several in (url, ["http://127.0.0.1:8080", url]):
        with pytest.raises(UnencryptedError, match=r"is another machine, and .* is not encrypted") as refused:
            made(several, token=TOKEN)
    assert TOKEN not in str(refused.value)
    assert "gateway.allow_unencrypted" in refused.value.hint
    with pytest.raises(UnencryptedError):
        made(url, key=AgentKey(bytes(20), SecretKey.generate()))
    made(url, token=TOKEN, allow_unencrypted=True)


@pytest.mark.parametrize("made", CLIENTS)
def test_what_is_near_encrypted_or_no_secret_is_asked(made: type[Client | AsyncClient]) -> None:
    for url in ("http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "https://gateway.example"):
        made(url, token=TOKEN)
    made(FAR[0])


async def test_a_way_of_its_own_refuses_before_it_connects() -> None:
    async with AsyncClient(exchange=OverSeveral([FAR[0]]), token=TOKEN) as client:
        with pytest.raises(UnencryptedError):
            await client.chain()
    headers = {"authorization": f"Bearer {TOKEN}"}
    with pytest.raises(UnencryptedError):
        await OverSeveral([FAR[0]])(calls.ready(), headers, 1.0)


def test_a_partner_is_refused_alike() -> None:
    with pytest.raises(PartnerError, match="not encrypted"):
        over_http("the peer", FAR[0], TOKEN)
    over_http("the peer", FAR[0], TOKEN, allow_unencrypted=True)
    over_http("the peer", FAR[0], None)
