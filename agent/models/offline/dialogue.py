"""One turn: which tools to call, one step after the other, and what to say in the end.

A turn is a generator that yields tool calls and is sent their results. It remembers nothing: whoever drives it from the
start with the results that are stored gets to the same place again, in another process too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from agent.models.offline import answer
from agent.models.offline.dialects import POSTGRES, Dialect
from agent.models.offline.language.clauses import clauses
from agent.models.offline.language.grammar import CURRENCIES, NOUNS_OF_NOTHING
from agent.models.offline.language.lexicon import COMMENTED, SPELLED, Item, Lexicon, Value, items_of, phrases
from agent.models.offline.language.neighbours import together
from agent.models.offline.language.speech import draft_of
from agent.models.offline.language.words import same, spells, tokens_of
from agent.models.offline.meaning.followup import follow
from agent.models.offline.meaning.places import AlmostError, NotUnderstoodError, UnclearError
from agent.models.offline.query import Query
from agent.models.offline.schema import Column, Schema, parts_of, plain, schema_of
from agent.models.offline.sql import lookup_sql, repeated_sql, sql_of

_PART = r'(?:[^\W\d]\w*|"[^"]+"|`[^`]+`)'
_QUALIFIED = re.compile(rf"(?<![\w.])({_PART}(?:\.{_PART}){{1,2}})(?![\w(])")
_MOST_DESCRIBED = 12
_LONGEST, _MOST_WORDS = 2_000, 150


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call."""

    name: str
    args: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool returned: its JSON, or the sentence in which it refused."""

    content: Mapping[str, Any] | None
    refusal: str = ""


class Refused(Exception):  # noqa: N818 - not an error of ours
    """A tool refused; what it said is the answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to say, and what was asked, for a later question to lean on."""

    text: str
    queries: tuple[Query, ...] = ()
    unanswered: bool = False
    """Whether it was a question that could not be answered, so that nothing can lean on it."""
    unclear: str = ""
    """The question, where the person was asked which table is meant."""
    among: tuple[str, ...] = ()
    """The tables that it may be."""
    said: frozenset[str] = frozenset()
    """Tables of which the person said before that they are meant."""


Steps = Generator[list[Call], list[Result], Any]


class Turn:
    """A question and what is learnt on the way to its answer."""

    def __init__(self, question: str, before: Outcome, today: date, dialect: Dialect = POSTGRES) -> None:
        self.question = question
        self.dialect = dialect
        self.before = before
        self.previous = before.queries
        self.today = today
        self.said: frozenset[str] = frozenset()
        self.queries: tuple[Query, ...] = ()
        """What was understood, as soon as it is."""
        self._listed: Mapping[str, Any] = {}
        self._described: dict[str, Mapping[str, Any]] = {}
        self._values: dict[str, list[Value]] = {}
        self._looked: set[tuple[str, str]] = set()
        self._repeated: dict[Column, bool] = {}
        """Whether several rows hold the same, by column."""

    def steps(self) -> Steps:
        """Run the turn; it returns its Outcome."""
        if len(self.question) > _LONGEST or len(tokens_of(self.question)) > _MOST_WORDS:
            return Outcome(answer.TOO_LONG, self.previous, unanswered=True)
        try:
            [self._listed] = yield from self._call(Call("list_tables", {}))
            text = yield from self._answer()
            return Outcome(text, self.queries or self.previous, self.before.unanswered and not self.queries)
        except Refused as refused:
            return Outcome(str(refused), self.queries or self.previous)
        except UnclearError as problem:
            text = f"I cannot tell yet. {problem}"
            asked = Outcome(text, self.previous, unanswered=True, unclear=self.question)
            return replace(asked, among=problem.tables, said=self.said)
        except NotUnderstoodError as problem:
            return Outcome(answer.cannot_text(str(problem), self.schema), self.previous, unanswered=True)

    @property
    def schema(self) -> Schema:
        """What is known of the schema."""
        return schema_of(
            self._listed, self._described.values(), [c for c, several in self._repeated.items() if several]
        )

    def _lexicon(self) -> Lexicon:
        return Lexicon(self.schema, self.today, self._values)

    def _items(self) -> list[Item]:
        return together(items_of(self.question, self._lexicon()), self.schema)

    def _call(self, *calls: Call) -> Generator[list[Call], list[Result], list[Mapping[str, Any]]]:
        results = yield list(calls)
        refusals = [result.refusal for result in results if result.content is None]
        if refusals:
            raise Refused("\n\n".join(dict.fromkeys(refusals)))
        return [result.content for result in results if result.content is not None]

    # --- from question to answer ------------------------------------------------------------------------------------

    def _answer(self) -> Steps:
        self._settle()
        yield from self._open_unlisted()
        items = self._items()
        meta = [item.word for item in items if item.kind == "meta"]
        others = [i for i in items if i.kind not in {"meta", "which", "list", "lean", "end", "who", "and"}]
        asked = {"which", "list", "count"} & {i.kind for i in items}
        if meta == ["tables"] and asked and not any(i.named for i in others):
            return answer.tables_text(self._listed)
        content = len(others) == 1 and "in" in others[0].gap and [i.kind for i in items[:1]] == ["which"]
        if (meta or content) and all(i.kind == "name" and i.tables for i in others):
            tables = list(dict.fromkeys(t for i in others for t in i.tables))
            if tables or "tables" in meta:
                return (yield from self._about_tables(tables))
        if not self.schema.tables:
            return answer.NO_TABLES
        if not others and not self.previous:
            return (
                answer.tables_text(self._listed)
                if "data" in self.question.casefold()
                else (answer.help_text(self.schema))
            )
        self.queries = yield from self._understand()
        while (yield from self._prove(self.queries)):
            self.queries = yield from self._understand()
        schema = self.schema
        queries = list(self.queries)
        results = yield from self._run(queries)
        for at, (query, result) in enumerate(zip(self.queries, results, strict=True)):
            if answer.alike(query, schema, result):
                queries[at] = replace(query, keyed=True)
                [results[at]] = yield from self._run([queries[at]])
        texts = [answer.result_text(q, schema, r) for q, r in zip(queries, results, strict=True)]
        return "\n\n".join(texts)

    def _run(self, queries: Sequence[Query]) -> Generator[list[Call], list[Result], list[Mapping[str, Any]]]:
        statements = [sql_of(query, self.schema, self.dialect) for query in queries]
        return (yield from self._call(*(Call("query", {"sql": sql}) for sql in statements)))

    def _settle(self) -> None:
        """Ask the question before again where this only says which table was meant: "of visits"."""
        items = [i for i in self._items() if i.kind not in {"lean", "and", "end"}]
        named = [t for t in self.before.among if all(t in i.tables for i in items)]
        if items and len(named) == 1:
            self.question, self.said = self.before.unclear, self.before.said | {*named}
            self.before = replace(self.before, unanswered=False)

    def _about_tables(self, tables: list[str]) -> Steps:
        if not tables:
            return answer.tables_text(self._listed)
        if len(tables) > _MOST_DESCRIBED:
            raise NotUnderstoodError("That is too many tables at once.")
        described = yield from self._call(*(Call("describe_table", {"table": t}) for t in tables))
        return "\n\n".join(map(answer.description_text, described))

    def _open_unlisted(self) -> Steps:
        """Ask the database about a table that is named in full and not listed: it may refuse, and says how."""
        known = {name for t in self.schema.tables.values() for name in t.spellings}
        named = [name for name in _QUALIFIED.findall(self.question) if name.casefold() not in known]
        schemas = {t.schema.casefold() for t in self.schema.tables.values()}
        columns = {plain(c.name).casefold() for t in self.schema.tables.values() for c in t.columns}
        for name in named:
            *_, schema, last = parts_of(name.casefold())
            if schema in schemas or last not in columns:
                [found] = yield from self._call(Call("describe_table", {"table": name}))
                self._described[found["table"]] = found

    def _understand(self) -> Generator[list[Call], list[Result], tuple[Query, ...]]:
        """Learn more of the schema and its values until the question is understood."""
        if queries := self._plain():
            return queries
        queries, problem = (), None
        for learn in (
            self._describe_named,
            self._look_up,
            self._describe_around,
            self._look_up,
            self._describe_all,
            self._look_up,
            self._look_up_names,
        ):
            yield from learn()
            if self._unknown() and learn != self._look_up_names:
                continue
            try:
                queries = self._read()
            except NotUnderstoodError as found:
                problem = found
                queries = () if isinstance(found, AlmostError) else queries
                continue
            if self._is_sure(queries):
                return queries
            yield from self._describe([table for query in queries for table in query.tables])
        if queries and not isinstance(problem, UnclearError):
            return queries
        assert problem is not None
        raise problem

    def _prove(self, queries: Sequence[Query]) -> Generator[list[Call], list[Result], bool]:
        """Make sure that no row is counted once for each of several others; tell whether one would have been."""
        steps = [c for q in queries for table in q.tables for c in self.schema.unproven(q.base, table)]
        new = [column for column in dict.fromkeys(steps) if column not in self._repeated]
        if not new:
            return False
        found = yield from self._call(*(Call("query", {"sql": repeated_sql(column)}) for column in new))
        told = {column: bool(result["rows"]) for column, result in zip(new, found, strict=True)}
        self._repeated.update(told)
        return any(told.values())

    def _plain(self) -> tuple[Query, ...]:
        """Understand a question that spells the columns of one table: the list of tables says enough."""
        if any(not {*NOUNS_OF_NOTHING, *CURRENCIES}.isdisjoint(i.gap) for i in self._items()):
            return ()  # "the value of the orders": a comment may say what that is
        if any(i.kind in {"unknown", "hint"} or (i.named and i.sure < SPELLED) for i in self._items()):
            return ()
        try:
            queries = self._read()
        except NotUnderstoodError:
            return ()
        alone = all(query.tables == [query.base] for query in queries)
        return queries if alone and self._is_sure(queries) else ()

    def _is_sure(self, queries: Sequence[Query]) -> bool:
        """Whether more of the schema cannot change it: no view that was not named, no number that may be a key."""
        tables = self.schema.tables
        named = {table for item in self._items() for table in item.tables} | {q.base for q in self.previous}
        put_together = [t for q in queries for t in (q.subject, *(g.entity for g in q.groups)) if t]
        if not all(tables[t].described for t in put_together):
            return False  # by a key that is not told yet
        groups = [g.column for q in queries for g in q.groups if g.column and not tables[g.column.table].described]
        if any(same(c.words[-1], t.words[-1]) for c in groups for t in tables.values()):
            return False  # a party may be one of the parties
        counted = [m.column for q in queries for m in q.measures if m.agg == "distinct" and not m.counted and m.column]
        if any(c.is_key and (c.references or not tables[c.table].described) for c in counted):
            return False  # who does something may be a kind of them
        views = [q for q in queries if tables[q.base].is_view and q.base not in named]
        told = [c for q in queries for c in q.columns if c.kind == "number" and not tables[c.table].described]
        return not views and not any(spells(c.words, t.words) for c in told for t in tables.values())

    def _read(self) -> tuple[Query, ...]:
        items, schema = self._items(), self.schema
        drafts = [replace(draft_of(part), said=self.said) for part in clauses(items)]
        return tuple(follow(drafts, schema, self.previous, unanswered=self.before.unanswered))

    def _unknown(self) -> list[Item]:
        return [item for item in self._items() if item.kind == "unknown"]

    # --- learning ---------------------------------------------------------------------------------------------------

    def _focus(self) -> list[str]:
        """Return the tables that the question names, or else those of the columns that it names."""
        items, schema = self._items(), self.schema
        named = [t for i in items if i.sure >= COMMENTED for t in i.tables]
        only = [c.table for i in items if len({c.table for c in i.columns}) == 1 for c in i.columns[:1]]
        hits = Counter(t for i in items if i.sure == SPELLED for t in {c.table for c in i.columns})
        maybe = [t for t, count in hits.items() if count == max(hits.values())]
        before = [t for q in self.previous for t in q.tables if t in schema.tables]
        held = [v.column.table for i in items for v in i.values]
        found = [*named, *only] or held or ([] if before else maybe)
        return list(dict.fromkeys([*found, *before]))[:_MOST_DESCRIBED]

    def _describe_named(self) -> Steps:
        yield from self._describe(self._focus())

    def _describe_around(self) -> Steps:
        focus, schema = self._focus(), self.schema
        around = [*schema.neighbours(focus), *schema.dependents(focus)] if focus else list(schema.tables)
        further = schema.neighbours([*focus, *around])
        yield from self._describe(list(dict.fromkeys([*focus, *around, *further]))[:_MOST_DESCRIBED])

    def _describe_all(self) -> Steps:
        """Where a word is still unknown, any other table may explain it."""
        if self._unknown() and len(self.schema.tables) <= _MOST_DESCRIBED:
            yield from self._describe(list(self.schema.tables))

    def _describe(self, tables: Sequence[str]) -> Steps:
        new = [t for t in tables if t not in self._described]
        if new:
            found = yield from self._call(*(Call("describe_table", {"table": t}) for t in new))
            self._described.update({told["table"]: told for told in found})

    def _look_up(self) -> Steps:
        items = self._items()
        yield from self._search([i for i in items if i.kind in {"unknown", "hint"}], items)

    def _look_up_names(self) -> Steps:
        items = self._items()
        yield from self._search([i for i in items if i.named or i.kind in {"unknown", "hint", "value"}], items)

    def _search(self, wanted: list[Item], items: list[Item]) -> Steps:
        """Look in the described tables' text columns for what words may be values of."""
        texts = phrases(self.question, items, wanted)
        tables = [t for t in self.schema.tables.values() if t.described]
        calls, searched = [], []
        for table in tables:
            new = [text for text in texts if (table.name, text) not in self._looked]
            sql = lookup_sql(table, new, self.dialect)
            if sql:
                calls.append(Call("query", {"sql": sql}))
                searched.append(table)
            self._looked.update((table.name, text) for text in new)
        if not calls:
            return
        results = yield from self._call(*calls)
        for table, result in zip(searched, results, strict=True):
            self._learn_values(table.name, result["rows"])

    def _learn_values(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        columns = {c.name: c for c in self.schema.tables[table].columns}
        together: dict[tuple[str, str], list[str]] = {}
        for name, text in rows:
            # As its words are read in a question, and as it stands between quotes.
            for phrase in sorted({" ".join(t.text.casefold() for t in tokens_of(text)), text.casefold()}):
                together.setdefault((phrase, name), []).append(text)
        for (phrase, name), texts in together.items():
            self._values.setdefault(phrase, []).append(Value(columns[name], tuple(texts)))
