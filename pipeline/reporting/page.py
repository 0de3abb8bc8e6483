"""HTML pages from their templates: everything that is not marked as HTML is escaped."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from pipeline.reporting.glossary import TERMS, with_hints
from pipeline.reporting.pictures import hex_colour

TEMPLATES = Path(__file__).parent


def render_page(template: str, values: dict[str, Any]) -> str:
    """A page from the values that its template names; a name without a value is an error."""
    return page_environment().get_template(template).render(terms=TERMS, **values)


def page_environment() -> jinja2.Environment:
    """What all templates share."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["colour"] = hex_colour
    environment.filters["code"] = with_code
    environment.filters["hints"] = with_hints
    return environment


def with_code(text: str) -> Markup:
    """Text whose parts in backticks are set as code."""
    parts = str(escape(text)).split("`")
    return Markup("".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts)))
