"""Values of a warehouse as JSON values.

A result is rows of texts or nulls; what a text means, the type of its column says. Arrays, maps and structs come as
JSON texts, whose innermost values are texts again or JSON's own.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import SqlglotError

from tools.catalog import QueryResult
from tools.values import size, to_json

if TYPE_CHECKING:
    from tools.catalog import Limits
    from tools.unity.read import Read
    from tools.unity.statements import Result

_WHOLE = exp.DataType.INTEGER_TYPES
_INEXACT = exp.DataType.FLOAT_TYPES
_EXACT = {exp.DType.DECIMAL}
_NESTED = {exp.DType.ARRAY, exp.DType.MAP, exp.DType.STRUCT}


def collected(result: Result, limits: Limits, read_from: Read) -> QueryResult:
    """Fetch the rows of a result, as many as the limits allow."""
    columns = [name for name, _ in result.columns]
    kinds = [kind_of(type_text) for _, type_text in result.columns]
    rows: list[list[Any]] = []
    used = 0
    for row in result.rows:
        values = [read(value, kind) for value, kind in zip(row, kinds, strict=True)]
        used += size(values)
        if truncated := len(rows) == limits.rows or used > limits.bytes:
            break
        rows.append(values)
    else:
        truncated = result.truncated
    too_large = truncated and len(rows) < limits.rows
    return QueryResult(columns, rows, truncated, too_large, read_from.sources, read_from.labels, result.statement)


def kind_of(type_text: str) -> exp.DataType | None:
    """Read the type of a column; None where it is not known, and values are left as the texts that they are."""
    try:
        return exp.DataType.build(type_text, dialect=Databricks)
    except (SqlglotError, ValueError):
        return None


def read(value: Any, kind: exp.DataType | None) -> Any:
    """Return a JSON value: decimals as numbers where a float holds them exactly, else as text.

    Dates, times, intervals and variants stay as the texts that they are, and binary in base64, as it comes.
    """
    if kind is None or not isinstance(value, str):
        return _inner(value, kind)
    try:
        if kind.this in _NESTED:
            return _inner(json.loads(value, parse_float=Decimal), kind)
        if kind.this in _WHOLE:
            return int(value)
        if kind.this in _INEXACT:
            return to_json(float(value))
        if kind.this in _EXACT:
            return to_json(Decimal(value))
    except (ValueError, InvalidOperation, RecursionError):
        return value
    if kind.this is exp.DType.BOOLEAN and value in ("true", "false"):
        return value == "true"
    return value


def _inner(value: Any, kind: exp.DataType | None) -> Any:
    inside = kind.expressions if kind is not None and kind.this in _NESTED else []
    if isinstance(value, list):
        return [read(item, inside[0] if inside else None) for item in value]
    if isinstance(value, dict):
        fields = {field.name.lower(): field.args.get("kind") for field in inside if isinstance(field, exp.ColumnDef)}
        of_map = inside[1] if kind is not None and kind.this is exp.DType.MAP and len(inside) > 1 else None
        return {str(key): read(item, fields.get(str(key).lower(), of_map)) for key, item in value.items()}
    return to_json(value)
