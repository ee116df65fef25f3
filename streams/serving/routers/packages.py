"""Memories as packages: out as a file that proves what it holds, in from such a file or another product's."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from streams.serving.addresses import to_hex
from streams.serving.faults import BadRequestError
from streams.serving.services import AgentParam, Served
from streams.serving.wire import WAIT_LIMIT, ImportRequest, ImportView, PackageView
from streams.serving.writes import until

router = APIRouter(prefix="/v1/agents/{agent}", tags=["packages"])


@router.get("/export", operation_id="export")
async def export(
    agent: AgentParam,
    served: Served,
    format: Annotated[Literal["lines", "avro"], Query(description="Canonical JSON lines, or an Avro container.")] = "lines",  # noqa: A002
    compress: Annotated[bool, Query(description="In an envelope, compressed with zstd.")] = False,
) -> PackageView:
    """All live memories in one package, signed; equal memories give equal packages."""
    package, data = await served.packages.export(agent, format, compress)
    return PackageView(
        agent=to_hex(agent),
        format=format,
        digest=to_hex(package.digest),
        count=len(package.memories),
        manifest=dict(package.manifest),
        package_base64=b64encode(data).decode(),
    )


NOT_YET: dict[int | str, dict[str, Any]] = {202: {"model": ImportView, "description": "Not visible yet."}}


@router.post("/import", operation_id="import_package", status_code=200, responses=NOT_YET)
async def take_in(
    agent: AgentParam,
    wanted: ImportRequest,
    served: Served,
    response: Response,
    wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show all of it.")] = 0,
) -> ImportView:
    """Takes in a package or another product's file. 200 if reads show all of it already, else 202."""
    try:
        data = b64decode(wanted.package_base64, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequestError("package_base64 is not base64") from None
    found = await served.packages.take_in(agent, data, unknown=wanted.accept_unknown)

    async def shown() -> bool:
        rows = await served.reads.rows(agent, found.ids)
        return all(row is not None and row.presence.upserts for row in rows)

    visible = await until(shown, wait)
    response.status_code = 200 if visible else 202
    return ImportView(
        agent=to_hex(agent),
        product=found.product,
        digest=to_hex(found.digest),
        count=found.count,
        skipped=found.skipped,
        restored=found.restored,
        visible=visible,
    )
