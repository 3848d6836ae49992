"""Which code made a result: a digest of the source that a module runs."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("ecgvision", "experiments", "data_prep")
"""The project's own packages; other packages are not followed."""

DIGITS = 8


@lru_cache
def source_digest(*modules: str) -> str:
    """Hex digits over the source of modules and of all they import from the project.

    Imports inside functions count. Comments, docstrings and formatting do not: the digest is over
    the syntax tree. Versions of other packages are not part of it.

    Args:
        modules: dotted names, such as `experiments.run`.

    Raises:
        ModuleNotFoundError: for a module that is none of the project's.
    """
    seen: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        tree = ast.parse(_file(name).read_bytes())
        waiting += [found for found in _imports(tree, name) if found not in seen]
        seen[name] = _without_docstrings(tree)
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(f"\n{name}\n".encode() + seen[name])
    return digest.hexdigest()[:DIGITS]


def _file(module: str) -> Path:
    found = _find(module)
    if found is None:
        raise ModuleNotFoundError(f"{module} is no module of the project", name=module)
    return found


@lru_cache
def _find(module: str) -> Path | None:
    """A module's file, found without importing it; None if it is not one of the project's."""
    package, *rest = module.split(".")
    spec = find_spec(package) if package in PACKAGES else None
    for base in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(base).joinpath(*rest)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file() and (rest or file.name == "__init__.py"):
                return file
    return None


def _imports(tree: ast.Module, module: str) -> Iterator[str]:
    """The project's modules that a module imports, and the packages they lie in."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    for name in [module, *names]:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            found = ".".join(parts[:count])
            if _find(found) is not None:
                yield found


def _without_docstrings(tree: ast.Module) -> bytes:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [
                part for part in node.body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]  # fmt: skip
    return ast.dump(tree, annotate_fields=False).encode()
