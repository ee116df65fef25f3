"""The page of the dashboard: a few files, open to anybody since they tell nothing.

Invariant: the page runs its own modules and no other code, makes no markup of text, and speaks with where it came from alone
(Content-Security-Policy, Trusted Types).
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from streams.serving.ops.page import PAGE, page_file

router = APIRouter(include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-cache",
}


async def page(request: Request) -> Response:
    """A file of the page."""
    content, media_type = page_file(request.url.path)
    return Response(content, media_type=media_type, headers=HEADERS)


for path in sorted(PAGE):
    router.add_api_route(path, page, methods=["GET"])
