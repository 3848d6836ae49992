"""Digest of the source code behind a result: the source that a module runs, and its templates."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("ecgvision", "experiments", "data_prep")
"""The project's own packages; imports of other packages are not followed."""

TEMPLATES = "*.j2"
"""Files that count with the modules beside them: reports are filled in from them."""

DIGITS = 8


@lru_cache
def source_digest(*modules: str) -> str:
    """Return a hex digest over the source of modules and all their imports from the project.

    Jinja templates in the folders of these modules count too. Imports inside functions count.
    Comments, docstrings and formatting of modules do not, because a module's part of the digest is
    computed from its syntax tree. Versions of other packages are not included.

    Args:
        modules: dotted names, such as `experiments.run`.

    Raises:
        ModuleNotFoundError: if a module does not belong to the project.
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
    parts = seen | {name: file.read_bytes() for name, file in _templates(seen).items()}
    digest = hashlib.sha256()
    for name in sorted(parts):
        digest.update(f"\n{name}\n".encode() + parts[name])
    return digest.hexdigest()[:DIGITS]


def _file(module: str) -> Path:
    found = _find(module)
    if found is None:
        raise ModuleNotFoundError(f"{module} is no module of the project", name=module)
    return found


@lru_cache
def _find(module: str) -> Path | None:
    """Return a module's file without importing it, or None if it is not part of the project."""
    package, *rest = module.split(".")
    spec = find_spec(package) if package in PACKAGES else None
    for base in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(base).joinpath(*rest)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file() and (rest or file.name == "__init__.py"):
                return file
    return None


def _templates(modules: Iterable[str]) -> dict[str, Path]:
    """Return the templates beside modules by name, `ecgvision.evaluate.report/run.html.j2`."""
    folders = {}
    for module in modules:
        file = _file(module)
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        folders[package] = file.parent
    return {f"{package}/{file.name}": file
            for package, folder in folders.items() for file in folder.glob(TEMPLATES)}  # fmt: skip


def _imports(tree: ast.Module, module: str) -> Iterator[str]:
    """Yield the project's modules that a module imports, and the packages that contain them."""
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
