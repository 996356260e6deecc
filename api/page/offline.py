"""The page without a connection: the script that keeps it in the browser, at the root to serve all pages."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import FileResponse

from api.access import PUBLIC
from api.page.rendering import STATIC
from api.page.routing import page_router

router = page_router()


@router.get("/sw.js", dependencies=[PUBLIC])
def service_worker() -> Response:
    """Asked for anew each time, so that no browser stays with an old one."""
    return FileResponse(STATIC / "sw.js", media_type="text/javascript", headers={"Cache-Control": "no-cache"})
