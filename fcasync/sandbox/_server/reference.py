"""``/openapi``: what ``/openapi.json`` says, for people."""

import re
from functools import cache
from html import escape
from typing import Any

from fcasync.sandbox._bank.schema import Schema
from fcasync.sandbox._server.inputs import LARGEST
from fcasync.sandbox._server.openapi import document
from fcasync.sandbox._server.template import File, fill

_GROUPS = {
    "/v1/financial_connections/": "Financial Connections",
    "/v1/events": "Events",
    "/v2/core/events": "Thin events",
    "/_sandbox/": "Control of the sandbox",
}
_NAMED = "Faults, limits and the list of requests call it"
_NO_PARAMETERS = '<p class="quiet">No parameters.</p>'


@cache
def file() -> File:
    """Return the page."""
    groups = "".join(_group(prefix, title) for prefix, title in _GROUPS.items())
    return fill("openapi.html", groups=groups, version=escape(document()["info"]["version"]))


def _group(prefix: str, title: str) -> str:
    operations = [
        _operation(method.upper(), path, described)
        for path, methods in document()["paths"].items()
        if path.startswith(prefix)
        for method, described in methods.items()
    ]
    name = re.sub(r"\W+", "-", title.lower())
    return (
        f'<section class="sheet" aria-labelledby="{name}"><div class="head">'
        f'<h2 id="{name}">{title}</h2><span class="quiet">{len(operations)}</span></div>'
        f"{''.join(operations)}</section>"
    )


def _operation(method: str, path: str, described: Schema) -> str:
    parameters = [_row(each["name"], each["in"], each) for each in described["parameters"]]
    parameters += _body_rows(described.get("requestBody", {}))
    summary = _inline(described.get("summary", ""))
    name = escape(described["operationId"])
    note = f'<p class="quiet">{_NAMED} <code>{name}</code>.</p>' if path.startswith("/v") else ""
    return (
        f'<details class="operation"><summary><strong class="method">{method}</strong> '
        f'<code>{_breakable(path)}</code> <span class="quiet">{summary}</span></summary>'
        f'<div class="body">{note}{_table(parameters, name)}</div></details>'
    )


def _body_rows(body: Schema) -> list[str]:
    """Return the rows of a body: one per property, or one for all of it."""
    rows = []
    for kind, content in body.get("content", {}).items():
        where = "form" if "form" in kind else "JSON"
        options = content["schema"].get("anyOf", [content["schema"]])
        for schema in options:
            # The faults come as a list of objects.
            option = schema.get("items", schema)
            # What one of several forms requires can be left out with the form.
            required = option.get("required", ()) if len(options) == 1 else ()
            rows += [
                _row(name, where, {"required": name in required, "schema": schema})
                for name, schema in option.get("properties", {}).items()
            ]
    return rows


def _row(name: str, where: str, parameter: Schema) -> str:
    required = "required" if parameter["required"] else ""
    kind = escape(type_text(parameter["schema"]))
    return (
        f'<tr><th scope="row"><code>{escape(name)}</code></th><td>{where}</td>'
        f"<td>{kind}</td><td>{required}</td></tr>"
    )


def _table(rows: list[str], name: str) -> str:
    if not rows:
        return _NO_PARAMETERS
    titles = ("Parameter", "In", "Type", "Required")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Parameters of {name}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def type_text(schema: Schema) -> str:
    """Return a schema in a few words, such as "list of balance | ownership"."""
    if "anyOf" in schema:
        return " or ".join(type_text(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) or "empty" for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {type_text(schema.get('items', {}))}"
    if schema.get("type") == "object" and schema.get("properties"):
        return f"object ({', '.join(schema['properties'])})"
    return f"{schema.get('type', 'any')}{_range(schema)}"


def _range(schema: Schema) -> str:
    least: Any = schema.get("minimum", schema.get("minLength"))
    most: Any = schema.get("maximum", schema.get("maxLength"))
    unit = " characters" if schema.get("type") == "string" else ""
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']}"
    if least is None and most is None:
        return ""
    if most is None or most >= LARGEST:
        return f", {least} or more{unit}"
    return f", {least or 0} to {most}{unit}"


def _breakable(path: str) -> str:
    return escape(path).replace("/", "/<wbr>")


def _inline(text: str) -> str:
    """Return a docstring's line as HTML, with its double backquotes as code."""
    return re.sub(r"``([^`]+)``", r"<code>\1</code>", escape(text))
