"""A digest of a script and of all library modules that it imports, comments left out."""

import ast
import hashlib
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parents[1]


@cache
def code_digest(script: Path, *modules: str) -> str:
    """Return a digest of what a script does.

    It covers the script and every otosynth module that it imports, directly or not, as parsed
    code without docstrings and comments: a change of words re-runs nothing, and a change of
    code re-runs just the jobs that import it. A name imported from a package counts as the one
    module that defines it, not as all that the package gathers.

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
    named = [file for name in modules if (file := _file_of_module(name))]
    files = imported_files([script, *named])
    parts = [_digest_of_file(path) for path in [script, *sorted(files - {script})]]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def imported_files(files: list[Path]) -> set[Path]:
    """Return some files with all files of the library that they import, directly or not."""
    found = set(files)
    waiting = list(files)
    while waiting:
        for path in _imports_of(waiting.pop()):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return found


@cache
def _imports_of(path: Path) -> frozenset[Path]:
    found: set[Path | None] = set()
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            found |= {_file_of_module(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {_file_of_name(node.module, alias.name) for alias in node.names}
    return frozenset(file for file in found if file)


def _file_of_name(module: str, name: str) -> Path | None:
    """Return the file that defines ``name``, which is imported from ``module``."""
    submodule = _file_of_module(f"{module}.{name}")
    if submodule:
        return submodule
    file = _file_of_module(module)
    if file is None or file.name != "__init__.py":
        return file
    gathered = (node for node in _parse(file).body if isinstance(node, ast.ImportFrom))
    for node in gathered:
        if node.module and name in {alias.asname or alias.name for alias in node.names}:
            return _file_of_name(node.module, name)
    return file


def _file_of_module(name: str) -> Path | None:
    """Return the module's file; none for what is not part of the library."""
    parts = name.split(".")
    if parts[0] != LIBRARY.name:
        return None
    place = LIBRARY.joinpath(*parts[1:])
    candidates = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in candidates if file.is_file()), None)


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
