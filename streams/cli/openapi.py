"""``monmouth openapi``: the REST interface as an OpenAPI document."""

from __future__ import annotations

import json

import click


@click.command()
def openapi() -> None:
    """Print the OpenAPI document of the REST interface; a running gateway serves the same at /openapi.json.

    \b
    Example:
      monmouth openapi > monmouth.openapi.json
    """
    from streams.serving.described import openapi_document  # noqa: PLC0415  (keeps --help quick)

    click.echo(json.dumps(openapi_document(), indent=2, ensure_ascii=False))
