"""Memories as packages: out as a file that proves what it holds, in from such a file or another product's.

Invariant: no body is read, and no package made, before there is a place for it.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from streams.serving.addresses import to_hex
from streams.serving.faults import BadRequestError, TooLargeError
from streams.serving.packages import Imported
from streams.serving.places import FileResponse, body_of
from streams.serving.services import AgentParam, Served
from streams.serving.wire import ImportRequest, ImportView, PackageView
from streams.serving.wire.packages import ImportTerms
from streams.serving.writes import until

router = APIRouter(prefix="/v1/agents/{agent}", tags=["packages"])

JSON_LIMIT = 8 * 1024 * 1024
"""Of a package in base64, which takes several times its size in memory."""
FILE = "application/octet-stream"
_BINARY = {"type": "string", "format": "binary"}
RAW: dict[int | str, dict[str, Any]] = {
    200: {"content": {FILE: {"schema": _BINARY}}, "description": "The package; with raw=true, the file itself."}
}
NOT_YET: dict[int | str, dict[str, Any]] = {202: {"model": ImportView, "description": "Not visible yet."}}
BODY = {
    "requestBody": {
        "required": True,
        "description": f"The file as it is, as {FILE}; or in base64, if that has at most {JSON_LIMIT >> 20} MiB.",
        "content": {
            "application/json": {"schema": ImportRequest.model_json_schema()},
            FILE: {"schema": _BINARY},
        },
    }
}


@router.get("/export", operation_id="export", response_model=PackageView, responses=RAW)
async def export(
    agent: AgentParam,
    served: Served,
    format: Annotated[Literal["lines", "avro"], Query(description="Canonical JSON lines, or an Avro container.")] = "lines",  # noqa: A002
    compress: Annotated[bool, Query(description="In an envelope, compressed with zstd.")] = False,
    raw: Annotated[bool, Query(description="The file itself; how much may go into JSON is limited.")] = False,
) -> Any:
    """All live memories in one package, signed; equal memories give equal packages."""
    async with AsyncExitStack() as place:
        await place.enter_async_context(served.packages.outgoing.one(agent))
        package, data = await served.packages.export(agent, format, compress)
        digest, count = to_hex(package.digest), len(package.memories)
        if raw:
            return FileResponse(data, {"x-package-digest": digest, "x-package-count": str(count)}, place.pop_all())
        encoded = b64encode(data).decode()
        if len(encoded) > JSON_LIMIT:
            raise TooLargeError(f"the package in base64 has more than {JSON_LIMIT} bytes", "Ask for it with raw=true.")
        return PackageView(
            agent=to_hex(agent),
            format=format,
            digest=digest,
            count=count,
            manifest=dict(package.manifest),
            package_base64=encoded,
        )


@router.post("/import", operation_id="import_package", status_code=200, responses=NOT_YET, openapi_extra=BODY)
async def take_in(
    agent: AgentParam,
    request: Request,
    served: Served,
    response: Response,
    terms: Annotated[ImportTerms, Query()],
) -> ImportView:
    """Takes in a package or another product's file. 200 if reads show all of it already, else 202."""
    unknown, chosen = terms.accept_unknown, terms.from_agent
    async with served.packages.incoming.one(agent):
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FILE:
            data = await body_of(request, served.packages.most)
        else:
            data, wanted = _said(await body_of(request, JSON_LIMIT))
            unknown, chosen = unknown or wanted.accept_unknown, chosen or wanted.from_agent
        found = await served.packages.take_in(agent, data, unknown=unknown, chosen=chosen)
    return await _shown(agent, served, found, terms.wait, response)


async def _shown(agent: bytes, served: Served, found: Imported, wait: float, response: Response) -> ImportView:
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


def _said(body: bytes) -> tuple[bytes, ImportRequest]:
    try:
        wanted = ImportRequest.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None
    try:
        return b64decode(wanted.package_base64, validate=True), wanted
    except (binascii.Error, ValueError):
        raise BadRequestError("package_base64 is not base64") from None
