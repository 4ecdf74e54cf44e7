"""Gemini's own kind of schema (a subset of OpenAPI's, types in capitals) as JSON Schema."""

from __future__ import annotations

from typing import Any

# Numbers travel as strings in Google's JSON.
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def as_json_schema(schema: Any) -> Any:
    """`schema` with the names and types that JSON Schema has."""
    if isinstance(schema, list):
        return [as_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "type" and isinstance(value, str):
            found["type"] = value.lower()
        elif name == "properties" and isinstance(value, dict):
            found[name] = {key: as_json_schema(inner) for key, inner in value.items()}
        elif name in ("items", "anyOf", "any_of"):
            found["items" if name == "items" else "anyOf"] = as_json_schema(value)
        elif name in _COUNTS and isinstance(value, str) and value.isdigit():
            found[name] = int(value)
        elif name not in ("nullable", "propertyOrdering"):
            found[name] = value
    if schema.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found
