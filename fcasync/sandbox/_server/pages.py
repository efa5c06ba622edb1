"""The pages for people: files of this package, served as they are."""

from functools import cache
from importlib import resources

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_PATHS = {"/": "index.html", "/favicon.ico": "icon.svg"}

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@cache
def _files() -> dict[str, bytes]:
    folder = resources.files("fcasync.sandbox") / "_server" / "page"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def page(path: str) -> tuple[bytes, str] | None:
    """Return body and content type of what stands at *path*, or None."""
    name = "link.html" if path.startswith("/link/") else _PATHS.get(path)
    if path.startswith("/_page/"):
        name = path.removeprefix("/_page/")
    body = _files().get(name or "")
    if name is None or body is None:
        return None
    return body, _TYPES[name[name.rindex(".") :]]
