"""Executed notebooks in docs/ as pages of the site.

MkDocs calls the functions that begin with ``on_``.
"""

import base64
import json
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parents[1] / "docs"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page and its pictures for every notebook."""
    for notebook in sorted(DOCS.glob("*.ipynb")):
        text, pictures = notebook_page(notebook)
        files.append(File.generated(config, f"{notebook.stem}.md", content=text))
        for name, png in pictures.items():
            files.append(File.generated(config, name, content=png))
    return files


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return an executed notebook as Markdown, and its pictures by their file's name."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    parts, pictures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            text, png = shown_output(output)
            if text:
                parts.append(f"```text\n{text.rstrip()}\n```")
            if png:
                name = f"{path.stem}-{len(pictures) + 1}.png"
                pictures[name] = png
                parts.append(f"![What the lines above draw]({name})")
    parts.append(
        f'This page is <a href="{path.name}" download>the notebook</a> as it was executed.'
    )
    return "\n\n".join(parts) + "\n", pictures


def shown_output(output: dict[str, Any]) -> tuple[str, bytes]:
    """Return what a cell printed, or the picture that it showed."""
    data = output.get("data", {})
    if "image/png" in data:
        return "", base64.b64decode(data["image/png"])
    return "".join(output.get("text", data.get("text/plain", ""))), b""
