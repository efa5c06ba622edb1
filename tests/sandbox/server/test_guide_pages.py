"""The guide and the list of operations, as a browser or a machine gets them."""

import builtins
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from yarl import URL

from fcasync._facts import guide as facts
from fcasync.sandbox._api.operations import OPERATIONS
from fcasync.sandbox._server import guide, pages
from fcasync.sandbox._server.control import ACTIONS
from fcasync.sandbox._server.reference import type_text
from tests.sandbox.conftest import Http

TOPICS = list(facts.topics())
HOSTILE = """# A page

<!-- not run: a comment -->
Text with <b onclick=run()>markup</b>, <script>run()</script> and [a link](javascript:run()).

<script>
run()
</script>

[On](web.md), [there](./errors.md#was-it-executed), [out](https://example.com/x.md).

| a | b |
|:--|--:|
| 1 | <img src=x onerror=run()> |

```html
<!-- part of the code -->
<b>
```
"""


class Reader(HTMLParser):
    """Collects what a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.ids: list[str] = []
        self.text = ""
        self.comments: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.names |= found.keys()
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found[name] or "" for name in ("href", "src") if name in found]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


async def fetch(http: Http, path: str) -> tuple[int, str, str]:
    """Return status, type and text of a page, whose headers must be strict."""
    url = URL(http.sandbox.url + path, encoded=True)  # as it is, dots included
    async with http.session.get(url) as answer:
        assert answer.headers["Content-Security-Policy"] == pages.HEADERS["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return answer.status, answer.content_type, await answer.text()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guide whose only page is hostile."""
    monkeypatch.setattr(facts, "page", lambda topic: HOSTILE)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra that renders Markdown."""
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("markdown_it"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


async def test_every_topic_is_a_page_and_leads_to_the_others(http: Http) -> None:
    """All are listed at /guide and beside each page, and every link inside leads somewhere."""
    for path in ("/guide", "/guide/", *(f"/guide/{topic}" for topic in TOPICS)):
        status, kind, text = await fetch(http, path)
        page = Reader(text)
        assert (status, kind) == (200, "text/html")
        assert {f"/guide/{topic}" for topic in TOPICS} <= set(page.links)
        assert len(page.ids) == len(set(page.ids))
        for link in {link for link in page.links if link.startswith("/")}:
            assert pages.page(link) is not None or link == "/openapi.json", link
        assert page.comments == []
        assert "<!--" not in page.text
        assert page.names.isdisjoint({"style", "onclick"})

    assert http.sandbox.ledger == []


async def test_the_pages_say_what_the_guide_says(http: Http) -> None:
    """Every line of code of a page is on it, as it is."""
    for topic in TOPICS:
        _, _, text = await fetch(http, f"/guide/{topic}")
        shown = Reader(text).text
        for code in re.findall(r"```\w+\n(.*?)```", facts.page(topic), re.DOTALL):
            assert code in shown


async def test_machines_read_the_guide_too(http: Http) -> None:
    """llms.txt leads to the Markdown of each page, which has no comments either."""
    status, kind, text = await fetch(http, "/llms.txt")
    assert (status, kind) == (200, "text/plain")
    assert (await fetch(http, "/guide/llms.txt"))[2] == text
    links = re.findall(r"\]\((/guide/\w+\.md)\)", text)
    assert sorted(links) == [f"/guide/{topic}.md" for topic in TOPICS]
    for link in links:
        status, kind, markdown = await fetch(http, link)
        assert (status, kind) == (200, "text/markdown")
        assert "<!--" not in markdown


@pytest.mark.parametrize("name", ["nope", "../redact", "web/x", "<script>", "web.txt", "%2e%2e"])
async def test_an_unknown_page_is_a_404_that_helps(http: Http, name: str) -> None:
    """It lists the pages that there are, and shows nothing of what was asked for."""
    status, kind, text = await fetch(http, f"/guide/{name}")

    assert (status, kind) == (404, "text/html")
    assert "The guide has no page of this name" in text
    assert name not in Reader(text).text
    assert http.sandbox.ledger == []


@pytest.mark.usefixtures("hostile")
async def test_raw_html_is_not_rendered(http: Http) -> None:
    """Markup in a page is shown as text, comments are not shown, and no script comes of a link."""
    page = Reader((await fetch(http, "/guide/web"))[2])

    assert {"script", "b"}.isdisjoint(page.tags)
    assert page.tags.count("img") == 1  # the icon
    assert page.names.isdisjoint({"style", "onclick", "onerror"})
    assert not any(link.startswith("javascript") for link in page.links)
    assert {"/guide/web", "/guide/errors#was-it-executed", "https://example.com/x.md"} <= set(
        page.links
    )
    assert "a comment" not in page.text
    assert "<!-- part of the code -->\n<b>\n" in page.text
    assert "<script>run()</script>" in page.text


@pytest.mark.usefixtures("hostile", "plain")
async def test_without_the_extra_a_page_is_plain_text(http: Http) -> None:
    """It is as readable as Markdown is, and as harmless."""
    page = Reader((await fetch(http, "/guide/web"))[2])

    assert {"script", "b", "table"}.isdisjoint(page.tags)
    assert "# A page" in page.text
    assert "a comment" not in page.text
    assert "<!-- part of the code -->\n<b>\n" in page.text


async def test_the_list_of_operations_has_them_all(http: Http) -> None:
    """Each operation and action with its summary and its parameters, on the page and in order."""
    _, _, text = await fetch(http, "/openapi")
    page = Reader(text)
    _, document, _ = await http.send("GET", "/openapi.json")

    assert text.count("<details") == len(OPERATIONS) + len(ACTIONS)
    for path, methods in document["paths"].items():
        assert path in page.text
        for described in methods.values():
            assert described["summary"].replace("``", "") in page.text
            for parameter in described["parameters"]:
                assert parameter["name"] in page.text
    assert "features[]" in page.text
    assert len(page.ids) == len(set(page.ids))
    assert page.names.isdisjoint({"style", "onclick"})
    assert "/openapi.json" in page.links


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 10**15}, "integer, 0 or more"),
        ({"type": "string", "minLength": 1, "maxLength": 9}, "string, 1 to 9 characters"),
        ({"type": "number", "exclusiveMinimum": 0}, "number above 0"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 10**15}, "number above 0"),
        (
            {"anyOf": [{"type": "integer", "minimum": 1}, {"enum": [""]}]},
            "integer, 1 or more or empty",
        ),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "list of a | b"),
        (
            {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/account"}]},
            "null or account",
        ),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, "object (a, b)"),
        ({}, "any"),
    ],
)
def test_a_schema_is_a_few_words(schema: dict[str, Any], words: str) -> None:
    """A person reads types and bounds without the braces."""
    assert type_text(schema) == words


@pytest.mark.parametrize(
    "path",
    ["/", "/link/fcsess_1_secret_1", "/_page/app.js", "/_page/style.css", "/favicon.ico",
     "/_page/nope.js", "/_page/guide.html", "/_page/../pages.py", "/robots.txt",
     "/.well-known/appspecific/com.chrome.devtools.json", "/apple-touch-icon.png"],
)  # fmt: skip
async def test_a_browser_that_looks_leaves_no_trace(http: Http, path: str) -> None:
    """Pages, their files, and what browsers ask for by themselves are not requests of a client."""
    await fetch(http, path)

    assert http.sandbox.ledger == []


def test_templates_are_not_served_as_they_are() -> None:
    """A page with its placeholders showing is not a page."""
    for name in ("guide.html", "openapi.html"):
        file = pages.page(f"/_page/{name}")
        assert file is not None
        assert file.status == 404
    index = guide.file("/guide")
    assert index is not None
    assert b"$" not in index.body


async def test_nothing_comes_from_elsewhere(http: Http) -> None:
    """The pages work on a machine without a network: every file is the sandbox's own."""
    for path in ("/", "/link/x", "/guide", "/openapi", "/guide/web"):
        text = (await fetch(http, path))[2]
        assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css|svg|woff2?)"', text) == []
        assert "<style" not in text
        assert re.findall(r"<script(?![^>]* src=)", text) == []
