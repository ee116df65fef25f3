"""Identities and feedback as registries told them, and what is ignored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.graph.identity import MAX_METADATA, Name, Said, feedback, identities
from streams.core.graph.tally import SCALE

REGISTRY, OWNER, OTHER = b"\x80" * 20, b"\xa1" * 20, b"\xb2" * 20
SEVEN = Name(REGISTRY, 7)


def said(event: str, **arguments: object) -> Said:
    told = {name: f"0x{value.hex()}" if isinstance(value, bytes) else str(value) for name, value in arguments.items()}
    return Said(event, {"registry": f"0x{REGISTRY.hex()}", "agent_id": "7", **told})


def rated(client: bytes, value: int, **more: object) -> Said:
    return said("NewFeedback", client=client, value=value, **more)


def test_an_identity_is_what_was_said_last() -> None:
    story = [
        said("Registered", owner=OWNER, uri="a"),
        said("URIUpdated", uri="b", by=OWNER),
        said("MetadataSet", key="agentWallet", value=OTHER),
        said("MetadataSet", key="capabilities", value=b"swap, lend,,swap"),
    ]
    found = identities(story)[SEVEN]
    assert (found.owner, found.uri, found.wallet, found.capabilities) == (OWNER, "b", OTHER, ["swap", "lend"])
    passed = Said("TransferToken", {"token_id": "7", "recipient": f"0x{OTHER.hex()}"}, REGISTRY)
    after = identities([*story, passed])[SEVEN]
    assert (after.owner, after.wallet) == (OTHER, None)


def test_tokens_that_are_no_identity_make_none() -> None:
    assert identities([Said("TransferToken", {"token_id": "7", "recipient": "0x"}, REGISTRY)]) == {}


def test_metadata_is_limited_and_odd_capabilities_are_none() -> None:
    story = [said("MetadataSet", key=f"k{n}", value=b"v") for n in range(MAX_METADATA + 5)]
    assert len(identities(story)[SEVEN].metadata) == MAX_METADATA
    assert identities([said("MetadataSet", key="capabilities", value=b"\xff")])[SEVEN].capabilities == []


def test_feedback_counts_what_was_not_revoked() -> None:
    story = [
        rated(OWNER, 955, index=1, decimals=1),
        rated(OTHER, 5, index=1, decimals=0),
        rated(OTHER, 7, index=2, decimals=0),
        said("FeedbackRevoked", client=OTHER, index=1),
        said("FeedbackRevoked", client=OTHER, index=9),
        said("ResponseAppended", client=OTHER, index=2),
    ]
    found = feedback(story)[SEVEN]
    assert (found.mean, found.clients, found.revoked, found.responses) == ((955 + 70) * SCALE // 20, 2, 1, 1)


def test_feedback_of_the_draft_has_scores_of_a_hundred_and_counts_itself() -> None:
    found = feedback([rated(OWNER, 80), rated(OWNER, 40), said("FeedbackRevoked", client=OWNER, index=2)])[SEVEN]
    assert (found.mean, found.revoked) == (80 * SCALE // 100, 1)
    assert feedback([said("FeedbackRevoked", client=OWNER, index=1)])[SEVEN].mean is None


texts = st.text(max_size=8)


@given(
    st.lists(
        st.builds(Said, texts | st.sampled_from(["Registered", "NewFeedback", "MetadataSet"]), st.dictionaries(texts, texts))
    )
)
def test_statements_that_do_not_fit_are_ignored(story: list[Said]) -> None:
    identities(story)
    feedback(story)
    assert SEVEN not in identities([Said("Registered", {"agent_id": "x", "registry": "0x"})])
