"""What both pages share: templates, figures in words, a content-security policy by hash, languages and directions.

Knows pages; does not know runs or comparisons.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from harness.report.comparison import words
from harness.text.locales import LOCALES
from harness.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TEMPLATES = Path(__file__).with_name("templates")


def source(*names: str) -> str:
    """Return files of ours that go into a page as they are, one after the other."""
    return "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def environment(filters: Mapping[str, Callable[..., Any]]) -> jinja2.Environment:
    """Return what renders a page's template: all text is escaped, and a name that is missing is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": percent_text,
        "points": words.points,
        "interval": words.interval,
        "p": words.p_text,
        "locale": lambda code: LOCALES[code].english if code in LOCALES else "",
        "script": script,
        **filters,
    }
    return made


def script(code: str) -> dict[str, str]:
    """Return the language and direction that an element with text of a locale needs."""
    if code not in LOCALES:
        return {"lang": "und", "dir": "auto"}
    return {"lang": LOCALES[code].iso639_1, "dir": LOCALES[code].direction}


def policy(style: str, **others: str) -> str:
    """Return the content-security policy: nothing but what is in the page, its style by hash, and `others`."""
    rules = {
        "default-src": "'none'",
        "style-src": source_hash(style),
        **{name.replace("_", "-"): value for name, value in others.items() if value},
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def source_hash(text: str) -> str:
    """Return the source expression of an inline element in a content-security policy (CSP Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
