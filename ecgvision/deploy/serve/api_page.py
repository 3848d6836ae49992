"""The description of the addresses as one plain page, made from the OpenAPI document."""

from __future__ import annotations

from html import escape
from typing import Any


def api_page(document: dict[str, Any]) -> str:
    """Return a page of every address: what it takes, what it answers, and a line to copy."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(document['info']['title'])}: addresses</title>"
        "<link rel='stylesheet' href='static/page.css'></head><body><main>",
        f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>",
        f"<p>{escape(document['info'].get('description', ''))}</p>",
        "<p>For tools: <a href='openapi.json'>openapi.json</a>. <a href='./'>The web page</a></p>",
    ]
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            parts.append(_operation(method, path, about))
    schemas = document.get("components", {}).get("schemas", {})
    parts.append("<h2>Shapes</h2>")
    parts += [_schema(name, schema) for name, schema in schemas.items()]
    return "".join([*parts, "</main></body></html>"])


def _operation(method: str, path: str, about: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(_kind(one['schema']))}</td>"
        f"<td>{escape(one.get('description', ''))}</td></tr>"
        for one in about.get("parameters", [])
    ]
    table = f"<table><tr><th>query</th><th>takes</th><th>means</th></tr>{''.join(rows)}</table>"
    answers = "; ".join(
        f"{status} {found.get('description', '')}".strip()
        for status, found in about.get("responses", {}).items()
    )
    file = " --data-binary @page.png" if "requestBody" in about else ""
    return (
        f"<section><h2>{method.upper()} {escape(path)}</h2><p>{escape(about.get('summary', ''))}. "
        f"{escape(about.get('description', ''))}</p>{table if rows else ''}"
        f"<p>Answers: {escape(answers)}</p>"
        f"<pre>curl{file} http://127.0.0.1:8000{escape(path)}</pre></section>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(key)}</code></td><td>{escape(_kind(found))}</td>"
        f"<td>{escape(found.get('description', ''))}</td></tr>"
        for key, found in schema.get("properties", {}).items()
    )
    return f"<section><h3>{escape(name)}</h3><table>{rows}</table></section>"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = [f"{name} {schema[key]:g}" for key, name in (("minimum", "from"), ("maximum", "to"))
              if key in schema]  # fmt: skip
    return " ".join([str(schema.get("type", "any")), *bounds])
