"""Equations of the site as MathML, which browsers draw without a script.

MkDocs calls the functions that begin with ``on_``.
"""

import html
import re

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

# What pymdownx.arithmatex leaves in a page.
EQUATION = re.compile(
    r'<(span|div) class="arithmatex">\s*(?:\\\((.*?)\\\)|\\\[(.*?)\\\])\s*</\1>', re.DOTALL
)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn a page's equations into MathML."""
    return EQUATION.sub(mathml, content)


def mathml(match: re.Match[str]) -> str:
    """Return one equation as MathML; on a line of its own it may scroll."""
    _, inline, display = match.groups()
    source = html.unescape(inline or display)
    equation = str(convert(source, display="inline" if inline else "block"))
    if "\\" in equation:  # latex2mathml shows what it does not know as it is
        raise PluginError(f"No MathML for this equation: {source}")
    return equation if inline else f'<div class="scrolled equation" tabindex="0">{equation}</div>'
