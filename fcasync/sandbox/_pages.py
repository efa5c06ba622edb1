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
def page(path: str) -> tuple[bytes, str] | None:
    """Return body and content type of what stands at *path*, or None."""
    name = _PATHS.get(path) or path.removeprefix("/_page/")
    if path.startswith("/link/"):
        name = "link.html"
    folder = resources.files("fcasync.sandbox") / "_page"
    known = {entry.name: entry for entry in folder.iterdir()}
    if name not in known or (path not in _PATHS and not path.startswith(("/_page/", "/link/"))):
        return None
    return known[name].read_bytes(), _TYPES[name[name.rindex(".") :]]
