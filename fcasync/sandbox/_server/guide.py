"""``/guide``: the pages of the guide, as HTML for people and as Markdown for machines."""

import re
from functools import cache
from html import escape
from typing import Any

from fcasync._facts import guide
from fcasync.sandbox._server.template import File, fill

PREFIX = "/guide"
_MISSING = "The guide has no page of this name. It has these:"
_INTRO = '<p class="quiet">In a terminal: <code>fcasync guide TOPIC</code>.</p>'
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_FENCE = re.compile(r"(^```.*?^```\n?)", re.MULTILINE | re.DOTALL)
_PAGE = re.compile(r"(?:\./)?([a-z_]+)\.md(#.*)?")
_ABOUT = re.compile(r"^- \[[^]]*\]\(([a-z_]+)\.md\): (.*)$", re.MULTILINE)
_MARKDOWN_LINK = re.compile(r"\]\(([a-z_]+\.md)\)")


def file(path: str) -> File | None:
    """Return what stands at *path*; None if that is not a path of the guide."""
    if path in {"/llms.txt", f"{PREFIX}/llms.txt"}:
        return File(_overview().encode(), "text/plain")
    if path in {PREFIX, f"{PREFIX}/"}:
        return _page("Guide", f"<h1>The guide</h1>{_INTRO}{_contents()}", "")
    if not path.startswith(f"{PREFIX}/"):
        return None
    name = path.removeprefix(f"{PREFIX}/").removesuffix("/")
    topic = name.removesuffix(".md")
    if topic not in guide.topics():
        body = f"<h1>Not found</h1><p>{_MISSING}</p>{_contents()}"
        return _page("Not found", body, "", status=404)
    if name.endswith(".md"):
        return File(_without_comments(guide.page(topic)).encode(), "text/markdown")
    return _page(guide.topics()[topic], _body(guide.page(topic)), _others(topic))


def _overview() -> str:
    """Return ``llms.txt`` with links that lead to the pages from wherever it is read."""
    return _MARKDOWN_LINK.sub(rf"]({PREFIX}/\1)", guide.overview())


def _page(title: str, body: str, topics: str, status: int = 200) -> File:
    return fill("guide.html", status, title=escape(title), body=body, topics=topics)


@cache
def _topics() -> dict[str, tuple[str, str]]:
    """Return title and a line about each page, in the order of ``llms.txt``."""
    titles, about = guide.topics(), dict(_ABOUT.findall(guide.overview()))
    order = sorted(titles, key=[*about, *titles].index)
    return {topic: (titles[topic], about.get(topic, "")) for topic in order}


def _others(current: str) -> str:
    """Return the list of all pages, with a mark at the current one."""
    items = []
    for topic, (title, _) in _topics().items():
        mark = ' aria-current="page"' if topic == current else ""
        items.append(f'<li><a href="{PREFIX}/{topic}"{mark}>{escape(title)}</a></li>')
    label = 'aria-label="Pages of the guide"'
    return f'<nav class="topics" {label}><ul>{"".join(items)}</ul></nav>'


@cache
def _contents() -> str:
    """Return the list of the pages with a line about each."""
    items = [
        f'<li><h2><a href="{PREFIX}/{topic}">{escape(title)}</a></h2>'
        f"<p>{escape(about[:1].upper() + about[1:])}</p></li>"
        for topic, (title, about) in _topics().items()
    ]
    return f'<ul class="contents">{"".join(items)}</ul>'


def _body(markdown: str) -> str:
    try:
        from markdown_it import MarkdownIt  # noqa: PLC0415 - an extra
    except ImportError:
        return f'<pre class="plain">{escape(_without_comments(markdown))}</pre>'
    return _html(MarkdownIt("commonmark").enable("table"), markdown)


def _html(parser: Any, markdown: str) -> str:
    """Return *markdown* as HTML that a strict Content-Security-Policy lets through."""
    parser.add_render_rule("html_block", _raw)
    parser.add_render_rule("html_inline", _raw)
    parser.add_render_rule("fence", _fence)
    tokens = parser.parse(markdown)
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(tokens[number + 1].content))
        _tame(token)
    html: str = parser.renderer.render(tokens, parser.options, {})
    scroll = '<div class="scroll" tabindex="0" role="group" aria-label="Table">'
    return html.replace("<table>", f"{scroll}<table>").replace("</table>", "</table></div>")


def _tame(token: Any) -> None:
    """Lead links between pages to their place here, and take styles out, which are not let in."""
    for inner in (token, *(token.children or ())):
        inner.attrs.pop("style", None)
        page = _PAGE.fullmatch(str(inner.attrs.get("href", "")))
        if page:
            inner.attrSet("href", f"{PREFIX}/{page[1]}{page[2] or ''}")


def _raw(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Show raw HTML as text; comments say how the tests run a block, and are not shown."""
    return escape(_COMMENT.sub("", tokens[index].content))


def _fence(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    language = escape(token.info.strip() or "text")
    label = f'tabindex="0" role="group" aria-label="Code: {language}"'
    return f"<pre {label}><code>{escape(token.content)}</code></pre>\n"


def _anchor(title: str) -> str:
    """Return the id of a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")


def _without_comments(markdown: str) -> str:
    """Return *markdown* without comments; those in a block of code are part of it."""
    parts = _FENCE.split(markdown)
    return "".join(
        part if number % 2 else _COMMENT.sub("", part) for number, part in enumerate(parts)
    )
