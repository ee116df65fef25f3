"""Options that several commands of memories and sessions have, said once."""

from __future__ import annotations

import click

importance_option = click.option("--importance", default=0.5, show_default=True, type=click.FloatRange(0, 1))
tags_option = click.option("--tag", "tags", multiple=True, help="A label; repeat for several.")
command_id_option = click.option("--command-id", help="UUID; repeat it to be sure that a retry stores nothing twice.")
limit_option = click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000))
max_results_option = click.option("-n", "--max-results", default=5, show_default=True, type=click.IntRange(1, 100))
min_similarity_option = click.option(
    "--min-similarity", type=click.FloatRange(-1, 1), help="Least cosine (default: the gateway's setting)."
)
max_tokens_option = click.option("--max-tokens", type=click.IntRange(min=1), help="Bound on the tokens of all texts.")
render_option = click.option("--render", type=click.Choice(["plain", "cited"]), help="Print one text for a prompt.")
