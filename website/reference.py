"""Names that docstrings mention (``:func:`name` ``, as Sphinx writes them) as links.

MkDocs calls the functions that begin with ``on_``.
"""

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROLE = re.compile(r":(?:mod|class|func|meth|data|attr|exc):<code>([\w.]+)</code>")


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn what is left of a role into a link, where mkdocstrings knows the name."""
    link = r'<autoref identifier="\1" optional><code>\1</code></autoref>'
    return ROLE.sub(link, content)
