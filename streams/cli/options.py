"""Options that several commands of memories and sessions have, said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from schemas.records import MEMORY_TYPES
from streams.cli.asking import wait_option
from streams.serving.wire import RESULTS_LIMIT

F = TypeVar("F", bound=Callable[..., Any])

_importance = click.option(
    "--importance",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="What is kept when there is no room for all.",
)
_tags = click.option("--tag", "tags", multiple=True, help="A label; repeat for several.")
_command_id = click.option("--command-id", help="UUID; repeat it to be sure that a retry stores nothing twice.")
limit_option = click.option(
    "-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="Most memories to show."
)
max_results_option = click.option(
    "-n",
    "--max-results",
    default=5,
    show_default=True,
    type=click.IntRange(1, RESULTS_LIMIT),
    help="Most memories to answer with.",
)
min_similarity_option = click.option(
    "--min-similarity", type=click.FloatRange(-1, 1), help="Least cosine (default: the gateway's setting)."
)
max_tokens_option = click.option("--max-tokens", type=click.IntRange(min=1), help="Bound on the tokens of all texts.")
render_option = click.option("--render", type=click.Choice(["plain", "cited"]), help="Print one text for a prompt.")


def store_options(kind: str) -> Callable[[F], F]:
    """How a memory is stored: ``type`` (``kind`` unless told), ``importance``, ``tags``, ``command_id``, ``wait``."""

    def decorated(command: F) -> F:
        for option in (
            wait_option,
            _command_id,
            _tags,
            _importance,
            click.option(
                "--type",
                default=kind,
                show_default=True,
                type=click.Choice(MEMORY_TYPES, case_sensitive=False),
                help="What kind of memory it is.",
            ),
        ):
            command = option(command)
        return command

    return decorated
