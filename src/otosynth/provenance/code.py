"""Digests of a script and of all library modules that it imports, comments left out."""

import ast
import hashlib
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parents[1]


@cache
def code_files(script: Path, *modules: str) -> dict[str, str]:
    """Return a digest of each file of code that decides what a script does.

    These are the script and every otosynth module that it imports, directly or not, as parsed
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
    dict
        ``scripts/<name>.py`` or ``otosynth/<module>.py`` to a SHA-256, hexadecimal.
    """
    named = [file for name in modules if (file := _file_of_module(name))]
    files = imported_files([script, *named])
    return dict(sorted((code_name(path), digest_of_code(path)) for path in files))


def code_name(path: Path) -> str:
    """Return the name that a file of code has in records."""
    if path.is_relative_to(LIBRARY):
        return path.relative_to(LIBRARY.parent).as_posix()
    return f"{path.parent.name}/{path.name}"


def code_path(name: str, project: Path) -> Path:
    """Return the file of code that has a name in records."""
    folder = LIBRARY.parent if name.startswith(f"{LIBRARY.name}/") else project
    return folder / name


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
def digest_of_code(path: Path) -> str:
    """Return the SHA-256 of a file's parsed code without docstrings and comments."""
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
