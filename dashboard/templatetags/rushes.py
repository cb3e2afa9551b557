"""Template tags and filters of Rushes: icons, times, and texts for values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import lucide
from django import template
from django.conf.locale import LANG_INFO
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from dashboard.cards.durations import stopwatch, took
from dashboard.cards.error_advice import advice
from dashboard.live.comments import comment_html
from executions.search import text as text_search
from executions.search.text import Term
from executions.videogen import Voice

# Longer titles of pages are set smaller.
MAX_LARGE_TITLE = 110

register = template.Library()
register.filter("advice", advice)
register.filter("took", took)
register.filter("comment_html", comment_html)


@register.simple_tag
@cache
def icon(name: str, size: int = 18, label: str = "") -> SafeString:
    """A Lucide icon as inline SVG. Without a `label` it is decorative and hidden from assistive technology."""
    attributes: dict[str, object] = {"class": "icon"}
    if label:
        attributes |= {"role": "img", "aria-label": label}
    else:
        attributes["aria_hidden"] = "true"
    return mark_safe(lucide._render_icon(str(name), size, **attributes))


@register.simple_tag
@cache
def proportion(shape: str) -> SafeString:
    """A small drawing of an aspect ratio such as "16:9". All ratios have the same area, as images do."""
    width, height = (float(part) for part in shape.split(":"))
    scale = (420 / (width * height)) ** 0.5
    width, height = min(width * scale, 30), min(height * scale, 30)
    return format_html(
        '<svg class="field-proportion" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="2.5"/></svg>',
        *(f"{value:.1f}" for value in (16 - width / 2, 16 - height / 2, width, height)),
    )


@register.filter
def moment(value: datetime | None) -> str:
    """A time, in UTC without JavaScript; static/js/lib/times.js shows it in the reader's time zone and language."""
    if value is None:
        return ""
    return format_html(
        '<time datetime="{}" data-moment>{}</time>',
        value.isoformat(timespec="milliseconds"),
        value.strftime("%-d %b %H:%M"),
    )


@register.filter
def clock(value: datetime | None) -> str:
    """A time of day to a tenth of a second; static/js/lib/times.js shows it in the reader's time zone."""
    if value is None:
        return ""
    return format_html(
        '<time datetime="{}" data-moment="clock">{}.{}</time>',
        value.isoformat(timespec="milliseconds"),
        value.strftime("%H:%M:%S"),
        value.microsecond // 100_000,
    )


@register.filter
def elapsed(value: datetime | None) -> str:
    """The time since then; static/js/lib/times.js updates it every second."""
    if value is None:
        return ""
    seconds = max(0, int((timezone.now() - value).total_seconds()))
    return format_html(
        '<time datetime="{}" data-since>{}</time>',
        value.isoformat(timespec="milliseconds"),
        stopwatch(seconds),
    )


@register.filter
def voice_name(voices: Iterable[Voice], voice_id: str) -> str:
    """The name of the voice with this id, or the id if it has no name; empty for an unknown voice."""
    return next((each.display_name or each.voice_id for each in voices if each.voice_id == voice_id), "")


@register.filter
def grouped(number: int | None) -> str:
    """A number with thousands separators: 4,000. A dash for None."""
    return "—" if number is None else f"{number:,}"


@register.filter
def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


@register.filter
def language_name(code: str) -> str:
    """The name of a language code such as en-GB; an unknown code is returned unchanged."""
    code = str(code)
    language, _, region = code.partition("-")
    if code.lower() in LANG_INFO and "name" in LANG_INFO[code.lower()]:
        return str(LANG_INFO[code.lower()]["name"])
    if language in LANG_INFO and "name" in LANG_INFO[language]:
        return f"{LANG_INFO[language]['name']} ({region})" if region else str(LANG_INFO[language]["name"])
    return code or "Any language"


@register.filter
def pairs_and_one_more(pairs: Sequence[tuple[str, str]] | None) -> list[tuple[str, str]]:
    """The rows of a repeatable field, and an empty one for the next entry."""
    return [*((written, spoken) for written, spoken in pairs or () if written or spoken), ("", "")]


@register.filter
def is_long(title: str) -> bool:
    """Whether a page shows the title in a smaller size."""
    return len(title) > MAX_LARGE_TITLE


@register.filter
def lookup(table: dict[str, object], name: str) -> object:
    """`table[name]` for a name in a variable, for which templates have no syntax."""
    return table.get(name)


@register.simple_tag
def marked(text: str, terms: Sequence[Term] | None, length: int) -> SafeString:
    """An excerpt of the text that shows the search terms, with the terms marked."""
    pieces = text_search.highlight(text, terms or (), length=length)
    return format_html_join("", "{}", ((_mark(piece) if is_hit else piece,) for piece, is_hit in pieces))


def _mark(text: str) -> str:
    return format_html("<mark>{}</mark>", text)


@register.simple_tag
def query_with(query: Any, **changes: str) -> str:
    """The query string of the history with changed parameters, such as another order or view."""
    string: str = query.string(**changes)
    return string
