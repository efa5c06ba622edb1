"""Tables for notebooks: plain HTML, escaped, in the colours of the page around them."""

from collections.abc import Iterable, Sequence
from typing import Final

# Colours are inherited and lines are translucent, so that dark and light themes both work. The
# class is written three times to outrank Jupyter's own rules, which align cells to the right.
_RULES: Final = {
    "table": "border-collapse:collapse;color:inherit;background:transparent",
    "caption": "text-align:left;font-weight:600;padding:2px 8px;color:inherit",
    "th,$ td": "text-align:left;vertical-align:top;white-space:pre;padding:2px 8px;"
    "border-bottom:1px solid rgba(128,128,128,.35)",
    "td.long": "white-space:pre-line",
    "td.number": "text-align:right;font-variant-numeric:tabular-nums",
}
_CLASS: Final = ".fcasync.fcasync.fcasync"
_STYLE: Final = "".join(
    f"{_CLASS} {names.replace('$', _CLASS)}{{{rules}}}" for names, rules in _RULES.items()
)

_UNBROKEN: Final = 40
"""The most characters that are kept on one line."""

# Not html.escape: importing html takes 2 ms, most of it for the names of entities.
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
)


class Number(str):
    """A cell that is aligned to the right, so that the digits of a column stand in line."""

    __slots__ = ()


def escape(text: str) -> str:
    """Return *text* escaped for use between tags and in quoted attributes."""
    return text.translate(_ESCAPES)


def card(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return one object as a table with a row for each field."""
    body = "".join(f"<tr>{_th(name, 'row')}{_td(text)}</tr>" for name, text in rows)
    return _wrap(title, f"<tbody>{body}</tbody>")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return many objects as a table with a column for each field."""
    head = "".join(_th(name, "col") for name in columns)
    body = "".join(f"<tr>{''.join(map(_td, row))}</tr>" for row in rows)
    return _wrap(title, f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")


def _wrap(title: str, inside: str) -> str:
    caption = f"<caption>{escape(title)}</caption>"
    return (
        f'<div class="fcasync" style="overflow-x:auto"><style>{_STYLE}</style>'
        f"<table>{caption}{inside}</table></div>"
    )


def _th(text: str, scope: str) -> str:
    return f'<th scope="{scope}">{escape(text)}</th>'


def _td(text: str) -> str:
    if isinstance(text, Number):
        return f'<td class="number">{escape(text)}</td>'
    # An id, an instant or an amount is hard to read if it wraps.
    return f"<td{' class=long' if len(text) > _UNBROKEN else ''}>{escape(text)}</td>"
