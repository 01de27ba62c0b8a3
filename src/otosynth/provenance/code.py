"""A digest of a script and of all library modules that it imports, comments left out."""

import ast
import hashlib
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parents[1]


def code_digest(script: Path, *modules: str) -> str:
    """Return a digest of what a script does.

    It covers the script and every otosynth module that it imports, directly or not, as parsed
    code without docstrings and comments: a change of words re-runs nothing, a change of
    code re-runs just the jobs that use it.

    Parameters
    ----------
    script
        A Python file.
    modules
        Modules that it imports by name at run time, such as the method of a training.

    Returns
    -------
    str
        SHA-256, hexadecimal, 16 digits.
    """
    files = _all_modules([script, *(file for name in modules for file in _files_of_module(name))])
    parts = [_digest_of_file(path) for path in [script, *sorted(files - {script})]]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _all_modules(files: list[Path]) -> set[Path]:
    found = set(files)
    waiting = list(files)
    while waiting:
        for path in _imported_modules(waiting.pop()):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return found


@cache
def _imported_modules(path: Path) -> frozenset[Path]:
    names: set[str] = set()
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(file for name in names for file in _files_of_module(name))


def _files_of_module(name: str) -> list[Path]:
    """Return the module's file and those of the packages round it; none outside the library."""
    parts = name.split(".")
    if parts[0] != LIBRARY.name:
        return []
    places = [LIBRARY.joinpath(*parts[1:depth]) for depth in range(1, len(parts) + 1)]
    candidates = [f for place in places for f in (place / "__init__.py", place.with_suffix(".py"))]
    return [file for file in candidates if file.is_file()]


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def _digest_of_file(path: Path) -> str:
    tree = _parse(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _without_docstring(node.body)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body
