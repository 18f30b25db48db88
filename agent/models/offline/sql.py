"""A query as SQL. Everything is joined from many to one, so that no row counts twice."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.models.offline.dialects import POSTGRES, Dialect
from agent.models.offline.language.dates import Period
from agent.models.offline.query import Filter, Group, Measure, Query
from agent.models.offline.schema import Column, Schema, Table, parts_of

_AGGREGATES = {"sum": "sum", "avg": "avg", "min": "min", "max": "max"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_MOST_COLUMNS = 8


def sql_of(query: Query, schema: Schema, dialect: Dialect = POSTGRES) -> str:
    """Return the SQL of a query."""
    if query.folded:
        # Parts of the statement that it folds; nothing else goes in there.
        groups = _Writer(replace(query, order=None, limit=None), schema, dialect).folded()
        figure = {"count": "count(*)", "avg": "avg(e.figure)"}[query.folded]
        return f"select {figure} from ({groups}) as e"  # noqa: S608 - names from the catalog, texts quoted
    return _Writer(query, schema, dialect).sql()


def lookup_sql(table: Table, texts: list[str], dialect: Dialect = POSTGRES) -> str | None:
    """Return the SQL that finds which text columns of a table hold one of the texts, in any case; None without any."""
    columns = [c for c in table.columns if c.kind == "text"]
    if not columns or not texts:
        return None
    values = [(c.name, f"t.{c.name}" if c.is_text else dialect.as_text(f"t.{c.name}")) for c in columns]
    return (
        f"select v.name, v.value from {dialect.values(table.name, values)}"  # noqa: S608 - names from the catalog, texts quoted
        f" where lower(v.value) in ({', '.join(map(dialect.literal, texts))}) group by v.name, v.value"
    )


def repeated_sql(column: Column) -> str:
    """Return the SQL that has a row if several rows of a table hold the same in a column."""
    return f"select 1 from {column.table} as t group by t.{column.name} having count(t.{column.name}) > 1 limit 1"  # noqa: S608 - names from the catalog


def named(query: Query, table: Table) -> tuple[Column, ...]:
    """Return the columns by which a query shows the rows of a table, with their key where they need it."""
    return tuple(dict.fromkeys((*labels(table), *([table.key] if query.keyed and table.key else []))))


def labels(table: Table) -> tuple[Column, ...]:
    """Return the columns that stand for a row of a table."""
    return table.labels or table.columns[:1]


def grouped(query: Query, schema: Schema) -> list[Column]:
    """Return the columns by which a query with groups, or with a subject, puts the rows of its base together."""
    found = [] if query.groups else list(listed(query, schema))
    for entity in [g.entity for g in query.groups if g.entity] or ([query.subject] if query.subject else []):
        key = schema.tables[entity].key
        found += [*labels(schema.tables[entity]), *([key] if key else [])]
    return found + [g.column for g in query.groups if g.column and not g.unit]


def whole(query: Query, schema: Schema) -> str | None:
    """Return the table whose rows all count as groups, also those to which no row of the base leads; or None.

    Raises:
        ValueError: They would have to be counted, and a condition forbids it.
    """
    if not query.counts_none:
        return None
    tables = [g.entity or (g.column and g.column.table) for g in query.groups]
    table = tables[0]
    if table == query.base and len(tables) == 1:
        return None
    path = schema.path(query.base, table) if table else None
    if len(tables) > 1 or not table or not path or query.missing:
        raise ValueError(table)
    before = {query.base, *(edge.source.table for edge in path)}
    looked_at = {f.column.table for f in query.filters} | {m.column.table for m in query.measures if m.column}
    if any(t not in before and (schema.path(query.base, t) or [])[: len(path)] != path for t in looked_at):
        raise ValueError(table)
    if any(m.column is not None and (not m.counted or m.column.table not in before) for m in query.measures):
        raise ValueError(table)
    return table


def listed(query: Query, schema: Schema) -> tuple[Column, ...]:
    """Return the columns that a listing shows."""
    table = schema.tables[query.subject or query.base]
    if query.shown:
        own = [c for c in labels(table) if c.table not in {s.table for s in query.shown} or c in labels(table)]
        looked_at = [f.column for f in query.filters if f.op not in {"=", "true", "false"} and not query.subject]
        return tuple(dict.fromkeys((*own, *query.shown, *looked_at, *(named(query, table) if query.keyed else ()))))
    if query.subject:
        return named(query, table)
    first = [c for c in named(query, table) if not c.is_key or (c == table.key and (query.ranked or query.keyed))]
    others = [c for c in table.columns if not c.is_key]
    found = tuple(dict.fromkeys((*first, *others)))[:_MOST_COLUMNS]
    joined = [c for c in query.columns if c not in found]
    return tuple(dict.fromkeys((*(found or table.columns), *joined)))


class _Writer:
    def __init__(self, query: Query, schema: Schema, dialect: Dialect) -> None:
        self.query = query
        self.dialect = dialect
        self.schema = schema
        self.aliases: dict[str, str] = {}
        self.joins: list[str] = []
        self.present: list[str] = []
        base = self._alias(query.base)
        self.joins.append(f"{query.base} as {base}")
        self.beside: list[Filter] = []
        """Conditions that choose which rows are counted, not which groups there are."""
        self.counted = "*"
        if table := whole(query, schema):
            self._join_whole(table)

    def folded(self) -> str:
        """Return the SQL of the figure of each group alone."""
        _, group = self._select()
        return self._statement([f"{self._measure(self.query.measures[0])} as figure"], group, [])

    def sql(self) -> str:
        select, group = self._select()
        return self._statement(select, group, self._order(len(select)))

    def _statement(self, select: list[str], group: list[str], order: list[str]) -> str:
        query = self.query
        where = [self._condition(f) for f in query.filters if f not in self.beside] + self._missing() + self.present
        having = ""
        if query.having:
            figure = self._measure(query.measures[0])
            having = f" having {self._compared(figure, query.having.op, query.having.values)}"
        rest = [
            f"from {' '.join(self.joins)}",
            f"where {' and '.join(where)}" if where else "",
            f"group by {', '.join(group)}{having}" if group else "",
        ]
        selected = ", ".join(select), " ".join(part for part in rest if part)
        if query.limit is not None and query.ranked:
            return self.dialect.first(*selected, order[0], self._ranking(), query.limit)
        ordered = f" order by {', '.join(order)}" if order else ""
        limited = f" limit {query.limit}" if query.limit is not None else ""
        return "select {} {}{}{}".format(*selected, ordered, limited)

    def _join_whole(self, table: str) -> None:
        """Join every row of a table, with the rows that lead to it where there are some."""
        *path, last = self.schema.path(self.query.base, table) or []
        self.counted = self._column((path[0] if path else last).source)
        if path:
            self._alias(last.source.table)
        before = {self.query.base, *(edge.source.table for edge in (*path, last))}
        self.beside = [f for f in self.query.filters if f.column.table in before]
        alias = self._new(table)
        on = [f"{alias}.{last.target.name} = {self._column(last.source)}", *map(self._condition, self.beside)]
        self.joins.append(f"right join {table} as {alias} on {' and '.join(on)}")

    def _select(self) -> tuple[list[str], list[str]]:
        query = self.query
        select: list[str] = []
        group: list[str] = []
        if not query.measures and not query.groups:
            shown = [self._column(c) for c in listed(query, self.schema)]
            if query.subject:
                key = self.schema.tables[query.subject].key
                group = list(dict.fromkeys([*([self._column(key)] if key else []), *shown]))
            return shown, group
        for each in query.groups:
            columns, keys = self._group(each)
            if (query.ranked or query.having) and each.column and each.column.nullable:
                self.present.append(f"{self._column(each.column)} is not null")  # nobody is not among the first
            select += columns
            group += [key for key in keys if key not in group]
        select += [self._measure(m) + (f" as {self._alias_of(m)}" if m.column else "") for m in query.measures]
        return select, group

    def _group(self, group: Group) -> tuple[list[str], list[str]]:
        if group.entity:
            table = self.schema.tables[group.entity]
            columns = [self._column(c) for c in named(self.query, table)]
            return columns, list(dict.fromkeys([*([self._column(table.key)] if table.key else []), *columns]))
        assert group.column is not None
        text = self._column(group.column)
        if names := self.schema.named_by(group.column):
            columns = self._named(group.column, text, names)
            return columns, list(dict.fromkeys([text, *columns]))
        if group.unit:
            text = self.dialect.unit(text, group.unit)
        return [f"{text} as {group.unit}" if group.unit else text], [text]

    def _named(self, key: Column, text: str, names: tuple[Column, ...]) -> list[str]:
        """Join a table, once more perhaps, for the names of the rows to which this key points."""
        assert key.references is not None
        table, target = key.references
        alias = self._new(f"{key.table}.{key.name}", table)
        self.joins.append(f"left join {table} as {alias} on {alias}.{target} = {text}")
        return [*(f"{alias}.{c.name}" for c in names), *([text] if self.query.keyed else [])]

    def _measure(self, measure: Measure) -> str:
        if measure.column is None:
            return f"count({self.counted})"
        text = self._column(measure.column)
        if measure.agg == "distinct":
            return f"count(distinct {text})"
        if measure.agg == "median":
            return f"percentile_cont(0.5) within group (order by {text})"
        return f"{_AGGREGATES[measure.agg]}({text})"

    def _condition(self, condition: Filter, text: str = "") -> str:
        if edge := condition.through:
            inner = self._condition(replace(condition, through=None), self._spelled(condition.column, "other"))
            rows = f"select other.{edge.target.name} from {edge.target.table} as other where {inner}"  # noqa: S608 - names from the catalog, texts quoted
            return f"{self._column(edge.source)} in ({rows})"
        text = text or self._column(condition.column)
        if condition.op in {"true", "false"}:
            return text if condition.op == "true" else f"not {text}"
        if condition.op == "told":
            return f"{text} is not null"
        if condition.op in {"null", "none"}:
            return f"{text} is null" if condition.op == "null" else f"({text} is null or {text} = 0)"
        if condition.op == "period":
            assert condition.period is not None
            return _within(text, condition.period)
        return self._compared(text, condition.op, condition.values, numbers=condition.column.kind == "number")

    def _missing(self) -> list[str]:
        missing = self.query.missing
        if missing is None:
            return []
        edge = next(e for e in self.schema.edges(missing.table) if e.target.table == missing.entity)
        one = self._column(edge.target)
        parts = [f"other.{edge.source.name} = {one}"]
        parts += [self._condition(f, self._spelled(f.column, "other")) for f in missing.filters]
        return [f"not exists (select 1 from {missing.table} as other where {' and '.join(parts)})"]  # noqa: S608 - names from the catalog

    def _order(self, width: int) -> list[str]:
        query = self.query
        direction = query.order or ""
        if query.ordered is not None:
            return [f"{self._column(query.ordered)} {direction or 'asc'} nulls last"]
        if query.groups and query.measures:
            times = [g for g in query.groups if g.unit or (g.column and g.column.kind == "date")]
            if times and query.order is None:
                return [str(n + 1) for n in range(width - len(query.measures))]
            place = width - len(query.measures) + 1
            ranked = f"{place} {direction or 'desc'} nulls last"
            return [ranked] if query.ranked else [ranked, "1"]
        if query.groups:
            return [f"1 {direction}".strip()]
        if query.subject:
            return [f"1 {direction}".strip()]
        return []

    def _ranking(self) -> str:
        """Return what the first rows are the first by, apart from what is selected."""
        query = self.query
        by = self._measure(query.measures[0]) if query.ordered is None else self._column(query.ordered)
        return f"{by} {query.order} nulls last"

    def _compared(self, text: str, op: str, values: tuple[str, ...], *, numbers: bool = True) -> str:
        spelled = [v if numbers and _NUMBER.fullmatch(v) else self.dialect.literal(v) for v in values]
        if op == "between":
            return f"{text} between {spelled[0]} and {spelled[1]}"
        if op in {"in", "not in"}:
            return f"{text} {op} ({', '.join(spelled)})"
        return f"{text} {op} {spelled[0]}"

    def _spelled(self, column: Column, alias: str) -> str:
        """Money is neither averaged nor compared with numbers, unless it is one itself."""
        return f"{alias}.{column.name}{'::numeric' if column.type == 'money' else ''}"

    def _alias_of(self, measure: Measure) -> str:
        """Return the name of a measure's column in the result."""
        assert measure.column is not None
        agg = {"sum": "total", "avg": "average", "distinct": "count"}.get(measure.agg, measure.agg)
        return self.dialect.name("_".join((agg, *(w for w in measure.column.words if w != agg))))

    def _column(self, column: Column) -> str:
        return self._spelled(column, self._alias(column.table))

    def _alias(self, table: str) -> str:
        if table in self.aliases:
            return self.aliases[table]
        for edge in self.schema.path(self.query.base, table) or []:
            source, target = self.aliases[edge.source.table], edge.target.table
            if target not in self.aliases:
                alias = self._new(target)
                on = f"{alias}.{edge.target.name} = {source}.{edge.source.name}"
                left = "left " if self._may_be_none(edge.source) else ""
                self.joins.append(f"{left}join {target} as {alias} on {on}")
        return self.aliases[table] if table in self.aliases else self._new(table)

    def _may_be_none(self, key: Column) -> bool:
        """Tell whether rows with no such key are told of as well, in a group of their own or listed."""
        query = self.query
        chosen = query.ranked or query.having or query.folded or query.counts_none or query.subject
        none = any(f.op in {"null", "none"} and f.column.is_key for f in query.filters)
        if chosen or none or bool(query.groups) != bool(query.measures):
            return False
        tables = {g.entity or (g.column.table if g.column else "") for g in query.groups}
        tables |= {c.table for c in (*query.shown, *(m.column for m in query.measures)) if c}
        steps = [e.source for t in tables - {query.base, ""} for e in self.schema.path(query.base, t) or []]
        before = self.schema.path(query.base, key.table) or []
        # A key on the way there may be missing as well; of a table that is not described, any may.
        return key in steps and any(c.nullable for c in (*(e.source for e in before), key))

    def _new(self, name: str, table: str = "") -> str:
        letter = next((c for c in parts_of(table or name)[-1].casefold() if "a" <= c <= "z"), "t")
        taken = set(self.aliases.values())
        alias = next(a for a in (letter, *(f"{letter}{n}" for n in range(2, 99))) if a not in taken)
        self.aliases[name] = alias
        return alias


def _within(text: str, period: Period) -> str:
    if period.also:
        return f"({_within(text, replace(period, also=None))} or {_within(text, period.also)})"
    first = f"{text} >= '{period.first}'" if period.first else ""
    until = f"{text} < '{period.until}'" if period.until else ""
    return " and ".join(filter(None, (first, until)))
