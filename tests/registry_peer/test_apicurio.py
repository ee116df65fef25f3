"""The product's schemas at a real Apicurio: skipped where ``python -m tests.registry_peer`` has not fetched it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.registry import ExternalRegistry, RegistryRefusedError
from streams.core.registry.avro import parse
from streams.settings import RegistrySettings
from streams.subjects import LEVEL, own_subjects
from tests.registry_peer import apicurio
from tests.registry_peer.ours import over_http

OWN = own_subjects("m.")


@pytest.mark.slow
async def test_an_empty_one_gives_the_ids_of_the_wire_and_a_used_one_is_refused(tmp_path: Path) -> None:
    home = apicurio.find()
    if home is None:
        pytest.skip(apicurio.ABSENT)
    with apicurio.running(home, tmp_path) as url:
        async with ExternalRegistry(RegistrySettings(url=url)) as registry:
            assert len(await registry.register(OWN, LEVEL)) == len(OWN)
            assert await registry.register(OWN, LEVEL) == []
            status, found = over_http(url)("GET", f"/schemas/ids/{OWN[-1].id}", None)
            assert (status, parse(found["schema"]).canonical) == (200, parse(OWN[-1].text).canonical)
    with apicurio.running(home, tmp_path) as url:
        over_http(url)("POST", "/subjects/other-value/versions", {"schema": '"int"'})
        async with ExternalRegistry(RegistrySettings(url=url)) as registry:
            with pytest.raises(RegistryRefusedError, match="under id 2; records carry id 1"):
                await registry.register(OWN, LEVEL)
        assert over_http(url)("GET", "/subjects", None) == (200, ["other-value"])
