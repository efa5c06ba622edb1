"""The pages for people: files of this package, the guide, and what ``/openapi.json`` says."""

from fcasync.sandbox._server import guide, reference
from fcasync.sandbox._server.template import File, files

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_PATHS = {"/": "index.html", "/favicon.ico": "icon.svg"}
_TEMPLATES = {"guide.html", "openapi.html"}
# What browsers ask for by themselves: not requests of a client, so they stay out of the ledger.
_UNASKED = ("/_page/", "/.well-known/", "/apple-touch-icon", "/robots.txt")

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(path: str) -> File | None:
    """Return what stands at *path*; None if it is nothing for people."""
    name = "link.html" if path.startswith("/link/") else _PATHS.get(path, "")
    if path.startswith("/_page/"):
        name = path.removeprefix("/_page/")
    if name in files() and name not in _TEMPLATES:
        return File(files()[name], _TYPES[name[name.rindex(".") :]])
    if path == "/openapi":
        return reference.file()
    if path.startswith(_UNASKED):
        return File(b"not found\n", "text/plain", 404)
    return guide.file(path)
