"""Results in words: what was computed, on which rows, and the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any

from agent.models.offline.query import Filter, Group, Measure, Query
from agent.models.offline.schema import Column, Schema, plain
from agent.models.offline.sql import listed, named

NO_TABLES = "This login may read no tables. Ask the owner of the data for SELECT on the tables that you need."
TOO_LONG = "I cannot read a question as long as this one; please ask it in fewer words."
_AGGREGATES = {
    "sum": "sum of {}",
    "avg": "average {}",
    "median": "median {}",
    "min": "lowest {}",
    "max": "highest {}",
    "distinct": "number of different {}",
}
_OPS = {
    "=": "is",
    "<>": "is not",
    ">": "above",
    "<": "below",
    ">=": "at least",
    "<=": "at most",
    "in": "is one of",
    "not in": "is none of",
}
_SHOWN = 100


def tables_text(listed_: Mapping[str, Any]) -> str:
    """List the tables."""
    if not listed_["tables"]:
        return NO_TABLES
    rows = [[plain(table["table"]), table["comment"]] for table in listed_["tables"]]
    more = "\n\nThere are more than these." if listed_.get("truncated") else ""
    return f"You can read {_tables(len(rows))}:\n\n{_table(['table', 'about'], rows)}{more}"


def _tables(count: int) -> str:
    return "this table" if count == 1 else f"these {count:,} tables"


def description_text(table: Mapping[str, Any]) -> str:
    """Describe a table."""
    about = f", {table['comment'].rstrip('.')}" if table["comment"] else ""
    rows = [[plain(c["name"]), c["type"], c["comment"]] for c in table["columns"]]
    return f"{plain(table['table'])} is a {table['kind']}{about}:\n\n{_table(['column', 'type', 'about'], rows)}"


def cannot_text(reason: str, schema: Schema) -> str:
    """Say that and why a question cannot be answered, and what can be asked."""
    if not schema.tables:
        return NO_TABLES
    table = next(iter(schema.tables.values()))
    hints = f"“which tables can I read?”, “describe {plain(table.name)}” or “how many rows are in {plain(table.name)}?”"
    return f"I cannot answer that. {reason} You can ask, for instance, {hints}"


def help_text(schema: Schema) -> str:
    """Say what can be asked."""
    if not schema.tables:
        return NO_TABLES
    table = plain(next(iter(schema.tables)))
    return (
        "I answer plain questions about your tables: I list and describe them, count, add up, average, rank, group and "
        f"filter. Ask for instance “which tables can I read?”, “describe {table}” or “how many rows are in {table}?”"
    )


def result_text(query: Query, schema: Schema, result: Mapping[str, Any]) -> str:
    """Put a query's result into words."""
    rows: list[list[Any]] = result["rows"]
    where = _where(query, schema)
    if query.folded:
        return f"The {_folded(query, schema)}{where} is {show(rows[0][0] or 0, number=True)}."
    if query.measures and not query.groups:
        return "\n\n".join(_figure(m, v, query, where) for m, v in zip(query.measures, rows[0], strict=True))
    if not rows:
        return f"There are no {_things(query, schema)}{where}."
    about = _heading(query, schema, None if result["truncated"] else len(rows), where)
    heads, formats = _columns(query, schema)
    cut, more = result["truncated"], ""
    if query.ranked:
        rows, more = _ranked(query, schema, result)
        cut = cut and len(rows) < (query.limit or 0)
    shown = [[show(value, number) for value, number in zip(row, formats, strict=True)] for row in rows[:_SHOWN]]
    if cut or len(rows) > _SHOWN:
        count = "more rows than could be fetched" if cut else f"{len(rows):,} rows"
        more += f"\n\nThese are the first {len(shown):,} of {count}."
    return f"{about[:1].upper()}{about[1:]}:\n\n{_table(heads, shown)}{more}"


def alike(query: Query, schema: Schema, result: Mapping[str, Any]) -> bool:
    """Tell whether rows are shown that cannot be told apart, though they have keys."""
    some = result["truncated"] or (query.limit is not None and not query.order)  # other ones the next time, perhaps
    if not query.groups and (query.measures or some):
        return False
    known = [g.entity for g in query.groups if g.entity] if query.groups else [query.subject or query.base]
    keyed = any(schema.tables[table].key for table in known) or any(schema.named_by(g.column) for g in query.groups)
    shown = [str(row[: len(row) - len(query.measures)]) for row in result["rows"]]
    return keyed and len({*shown}) < len(shown)


def _folded(query: Query, schema: Schema) -> str:
    [group] = query.groups
    table = group.entity or (group.column.table if group.column else query.base)
    if query.folded == "count":
        return f"number of {_rows(table) if group.entity else f'different {_group(group, schema)}'}"
    rest = ", those without any included," if group.entity else f", of each {_group(group, schema)} that has any,"
    return f"average {_measure(query.measures[0], query)} per {_group(group, schema)}{rest}"


def _ranked(query: Query, schema: Schema, result: Mapping[str, Any]) -> tuple[list[list[Any]], str]:
    """Return as many rows as were asked for, and what to say of those that are tied with the last one."""
    rows: list[list[Any]] = result["rows"]
    if query.ordered is None:
        ordered_by = _measure(query.measures[0], query)
        at = len(rows[0]) - len(query.measures)
    else:
        ordered_by = plain(query.ordered.name)
        columns = listed(query, schema)
        at = columns.index(query.ordered) if query.ordered in columns and not query.groups else 0
    # In an order that is the same each time.
    rows = [row for _, tied in groupby(rows, key=lambda row: row[at]) for row in sorted(tied, key=str)]
    others = len(rows) - (query.limit or 0)
    if others < 1:
        return rows, ""
    count = "Many others have" if result["truncated"] else "1 other has" if others == 1 else f"{others:,} others have"
    return rows[: query.limit], f"\n\n{count} the same {ordered_by} as the last one shown."


def show(value: Any, number: bool) -> str:
    """Return a value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not number:
        return str(value)
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if exact.is_nan():
        return "not a number"
    if not exact.is_finite() or exact == exact.to_integral_value():
        return f"{exact:,.0f}" if exact.is_finite() else str(value)
    if abs(exact) >= Decimal("0.01"):
        return f"{exact:,.2f}"
    return f"{exact:.3g}"


def _figure(measure: Measure, value: Any, query: Query, where: str) -> str:
    name = _measure(measure, query)
    number = measure.column is None or measure.column.kind == "number"
    year = measure.column is not None and measure.column.is_year and measure.agg in {"min", "max"}
    if value is None:
        return f"There is no {name}{where}: there is no row to compute it from."
    return f"The {name}{where} is {show(value, number and not year)}."


def _columns(query: Query, schema: Schema) -> tuple[list[str], list[bool]]:
    """Return the heading of each column of a result, and whether it holds figures."""
    if not query.measures and not query.groups:
        columns = listed(query, schema)
        return _heads(columns), [c.measures for c in columns]
    heads: list[str] = []
    formats: list[bool] = []
    for group in query.groups:
        names = named(query, schema.tables[group.entity]) if group.entity else schema.named_by(group.column)
        if names and not group.entity and group.column and query.keyed:
            names = (*names, group.column)
        if names:
            first = _group(group, schema) if len(names) == 1 or (query.keyed and len(names) == 2) else ""
            heads += [first, *_heads(names)[1:]] if first else _heads(names)
            formats += [False] * len(names)
        else:
            assert group.column is not None
            heads.append(group.unit or plain(group.column.name))
            formats.append(False)
    return heads + [_measure(m, query) for m in query.measures], formats + [
        m.column is None or m.column.kind == "number" for m in query.measures
    ]


def _heads(columns: Sequence[Column]) -> list[str]:
    names = [plain(c.name) for c in columns]
    return [
        n if names.count(n) == 1 else f"{plain(c.table).split('.')[-1]} {n}"
        for n, c in zip(names, columns, strict=True)
    ]


def _heading(query: Query, schema: Schema, count: int | None, where: str) -> str:
    """Say what the rows of a table are; `count` is None where there are more than could be fetched."""
    measures = " and ".join(_measure(m, query) for m in query.measures)
    groups = " and ".join(_whose(g, query, schema) for g in query.groups)
    if query.limit is not None and query.order:
        end = {"desc": "highest", "asc": "lowest"}[query.order]
        if query.measures and query.ordered is None:
            ended = measures if measures.startswith(end) else f"{end} {measures}"
            return f"{groups} with the {ended}{where}"
        if query.ordered:
            end = {"desc": "latest", "asc": "earliest"}[query.order] if query.ordered.kind == "date" else end
            return f"{_things(query, schema)} with the {end} {plain(query.ordered.name)}{where}"
    if query.measures:
        return f"{measures} by {groups}{where}"
    things = f"{_things(query, schema)}{where}"
    return things if count in {None, 1} else f"{count:,} {things}"


def _things(query: Query, schema: Schema) -> str:
    if query.groups:
        return f"{' and '.join(_whose(g, query, schema) for g in query.groups)} values in {_rows(query.base)}"
    return _rows(query.subject or query.base)


def _measure(measure: Measure, query: Query) -> str:
    if measure.column is None or measure.counted:
        return f"number of {_rows(measure.counted or query.base)}"
    if measure.column.kind == "date" and measure.agg in {"min", "max"}:
        return f"{'first' if measure.agg == 'min' else 'last'} {plain(measure.column.name)}"
    return _AGGREGATES[measure.agg].format(plain(measure.column.name))


def _rows(table: str) -> str:
    return plain(table).split(".")[-1]


def _group(group: Group, schema: Schema) -> str:
    if group.entity:
        return _entity(schema, group.entity)
    assert group.column is not None
    if schema.named_by(group.column):
        return " ".join(group.column.words[:-1] if group.column.words[-1] == "id" else group.column.words)
    return group.unit or plain(group.column.name)


def _whose(group: Group, query: Query, schema: Schema) -> str:
    """Name a group; where it is a column of another table, with that: "suppliers' continent"."""
    name = _group(group, schema)
    if group.column is None or group.column.table == query.base:
        return name
    rows = _rows(group.column.table)
    return f"{rows}' {name}" if rows.endswith("s") else f"{rows}'s {name}"


def _entity(schema: Schema, table: str) -> str:
    return " ".join(schema.tables[table].words)


def _where(query: Query, schema: Schema) -> str:
    parts = [_condition(f, query, empty=_leaves_out_empty(f, query, schema)) for f in query.filters]
    text = f" where {' and '.join(parts)}" if parts else ""
    if query.missing:
        text += f" without any {_rows(query.missing.table)}"
        kept = [_condition(f, replace(query, base=query.missing.table)) for f in query.missing.filters]
        text += f" whose {' and '.join(kept)}" if kept else ""
    if query.having:
        values = " and ".join(query.having.values)
        op = "between" if query.having.op == "between" else _OPS[query.having.op]
        text += f", with {_measure(query.measures[0], query)} {op} {values}"
    return text


def _leaves_out_empty(condition: Filter, query: Query, schema: Schema) -> bool:
    """Tell whether rows may lack what a condition denies, and so are left out as well."""
    path = schema.path(query.base, condition.column.table) or []
    denied = condition.op in {"<>", "not in"}
    return denied and (condition.column.nullable or any(edge.source.nullable for edge in path))


def _condition(condition: Filter, query: Query, *, empty: bool = False) -> str:
    name = plain(condition.column.name)
    if condition.column.table != (query.subject or _counted(query) or query.base):
        name = f"{_rows(condition.column.table)}.{name}"
    if condition.through:
        name = f"{name} of its {plain(condition.through.source.name)}"
    if condition.op in {"true", "false"}:
        return f"{name} is {'yes' if condition.op == 'true' else 'no'}"
    if condition.op == "period":
        return f"{name} is {condition.period}"
    if condition.op == "told":
        return f"{name} is not empty"
    if condition.op in {"null", "none"}:
        return f"{name} is empty" if condition.op == "null" else f"{name} is empty or 0"
    if condition.op == "between":
        return f"{name} is between {condition.values[0]} and {condition.values[1]}"
    values = ", ".join(condition.values)
    return f"{name} is neither {values} nor empty" if empty else f"{name} {_OPS[condition.op]} {values}"


def _counted(query: Query) -> str | None:
    """Return the table whose rows are counted, where it is not the base."""
    return next((m.counted for m in query.measures if m.counted), None)


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value if value is not None else "").replace("|", "\\|").split())
