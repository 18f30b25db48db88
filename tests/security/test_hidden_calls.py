"""Functions that no name in a query betrays, look-ups of what one may not read, and results larger than any memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from tools import AccessDeniedError, CatalogError, Limits, PostgresCatalog, QueryRefusedError, TableNotFoundError
from tools.postgres import guard
from tools.unity import guard as unity

if TYPE_CHECKING:
    from collections.abc import Iterator

FIGURE = 735194628
LONG = "a_function_with_a_name_that_is_as_long_as_postgres_lets_one_be_"
assert len(LONG) == 63
# A table that nobody may read, and functions that read it for anybody.
TRAPS = """
create schema {name};
create table {name}.secret (n int);
insert into {name}.secret values (735194628);
create table {name}.t (n int, s text);
insert into {name}.t values (1, 'x');
create function {name}.of_ints(int, int) returns int language plpgsql immutable security definer
  as 'begin return (select n from {name}.secret); end';
create function {name}.of_texts(text, text) returns int language plpgsql immutable security definer
  as 'begin return (select n from {name}.secret); end';
create function {name}.more(int, int) returns boolean language plpgsql immutable security definer
  as 'begin return (select n from {name}.secret) > $2; end';
create operator {name}.|| (leftarg = int, rightarg = int, function = {name}.of_ints);
create operator {name}.+ (leftarg = text, rightarg = text, function = {name}.of_texts);
create operator {name}.~~ (leftarg = int, rightarg = int, function = {name}.more);
create operator {name}.<-> (leftarg = int, rightarg = int, function = {name}.of_ints);
create type {name}.color as (n int);
create function {name}.to_color(int) returns {name}.color language plpgsql immutable security definer
  as 'begin return row((select n from {name}.secret))::{name}.color; end';
create function {name}.to_int({name}.color) returns int language plpgsql immutable security definer
  as 'begin return (select n from {name}.secret); end';
create cast (int as {name}.color) with function {name}.to_color(int);
create cast ({name}.color as int) with function {name}.to_int({name}.color) as implicit;
create domain {name}.checked as int check ({name}.more(value, value));
create domain {name}.outer_domain as {name}.checked;
create type {name}.pair as (a int, b {name}.checked);
create table {name}.colored (c {name}.color);
insert into {name}.colored select row(1)::{name}.color;
create view {name}.adding as select s operator({name}.+) s as n from {name}.t;
create view {name}.casting as select 5::{name}.checked as n;
create function {name}."{long}"({name}.t) returns int language plpgsql stable security definer
  as 'begin return (select n from {name}.secret); end';
create function {name}.of_row({name}.t) returns int language plpgsql stable security definer
  as 'begin return (select n from {name}.secret); end';
create function {name}.of_any(record) returns int language plpgsql stable security definer
  as 'begin return (select n from {name}.secret); end';
create function {name}."ran\u212a"() returns int language plpgsql stable security definer
  as 'begin return (select n from {name}.secret); end';
alter function {name}.of_texts(text, text) stable;
grant usage on schema {name} to alice;
grant select on {name}.t, {name}.colored, {name}.adding, {name}.casting to alice;
"""
HIDDEN = """
select s + s from t
select n || n from t
select n||n from t
select n ||n from t
select n like n from t
select n <-> n from t
select n<->-n from t
select n ~~ n from t
select 5::color
select cast(n as color) from t
select (n)::{name}.color from t
select array[n]::color[] from t
select color '(1)' from t
select c + 1 from colored
select c::int from colored
select 5::checked
select '5'::{name}.checked
select n::outer_domain from t
select array[n]::checked[] from t
select '(1,2)'::pair
select null::pair
select n from adding
select n from casting
select t.of_row from t
select (t).of_row from t
select t.OF_ROW from t
select t."of_row" from t
select x.of_any from (select 1) x
select t.{long} from t
select t.{long}_and_more from t
select t."{long}and more" from t
select t.{long_upper} from t
select ran\u212a()
select sum(n) from t having max(n || n) > 1
select n from t order by n || n
select n from t where exists (select 1 where (n || n) > 1)
""".strip().split("\n")


@pytest.fixture(scope="module")
def traps(lakehouse: Any) -> Iterator[str]:
    name = f"trap_{uuid4().hex[:8]}"
    with psycopg.connect(lakehouse.superuser, autocommit=True) as admin:
        admin.execute(TRAPS.replace("{name}", name).replace("{long}", LONG).encode())
        yield name
        admin.execute(f"drop schema {name} cascade".encode())


@pytest.fixture
def catalog(alice: str, traps: str) -> Iterator[PostgresCatalog]:
    with PostgresCatalog(f"{alice} options='-c search_path={traps}'", labelled_by="mooring") as opened:
        yield opened


@pytest.mark.parametrize("query", HIDDEN)
def test_a_function_that_stands_behind_something_else_is_not_called(
    catalog: PostgresCatalog, traps: str, query: str
) -> None:
    text = query.format(name=traps, long=LONG, long_upper=LONG.upper())
    with pytest.raises(CatalogError, match=r"function|cannot be read"):
        catalog.query(text)


@pytest.mark.parametrize(
    "query",
    ["select n * n from t", "select n - 1 from t", "select n from t where s in ('x')", "select t.n, t.s from t t"],
)
def test_what_is_postgres_own_is_run_all_the_same(catalog: PostgresCatalog, query: str) -> None:
    assert catalog.query(query).rows


def test_the_same_words_elsewhere_are_no_calls(alice: str, traps: str) -> None:
    # given a search path without the operators
    with PostgresCatalog(alice) as catalog:
        assert catalog.query(f"select s || s as {LONG}_and_more, n + 1 from {traps}.t").rows == [["xx", 2]]


@pytest.mark.parametrize(
    "query",
    [
        "select '{name}.secret'::regclass",
        "select '{name}.secret'::regclass::oid::int",
        "select cast('{name}.secret' as regclass)",
        "select regclass '{name}.secret'",
        "select '{name}.secret'::pg_catalog.regclass",
        "select '{name}.secret'::\"regclass\"",
        "select '{name}.secret'::REGCLASS",
        "select array['{name}.secret']::regclass[]",
        "select n::regclass from t",
        "select tableoid::regclass from t",
        "select 'of_ints'::regproc",
        "select 'of_ints(int,int)'::regprocedure",
        "select '||(int,int)'::regoperator",
        "select 'hr.salaries'::regtype",
        "select 'bob'::regrole",
        "select 'hr'::regnamespace",
        "select to_regclass('{name}.secret')",
        "select has_table_privilege('{name}.secret', 'select')",
        "select pg_relation_size('{name}.secret')",
        "select obj_description(1)",
        "select pg_get_viewdef(1)",
        "select relname from pg_class",
        "select table_name from information_schema.tables",
    ],
)
def test_what_there_is_besides_is_not_told(catalog: PostgresCatalog, traps: str, query: str) -> None:
    with pytest.raises(QueryRefusedError):
        catalog.query(query.format(name=traps))


def test_a_table_that_may_not_be_read_is_not_read_by_any_spelling(catalog: PostgresCatalog, traps: str) -> None:
    for spelled in (
        "secret",
        "SECRET",
        '"secret"',
        f"{traps}.secret",
        f"lakehouse.{traps}.secret",
        f'"{traps}"."secret"',
    ):
        with pytest.raises(AccessDeniedError):
            catalog.query(f"select * from {spelled}")


def test_a_schema_that_is_not_for_queries_is_not_by_a_name_that_is_cut_to_its_own(alice: str) -> None:
    with PostgresCatalog(alice, excluded_schemas=(LONG,)) as catalog:
        for spelled in (LONG, f"{LONG}and_more", LONG.upper(), f'"{LONG}and more"'):
            with pytest.raises(QueryRefusedError, match="not for queries"):
                catalog.query(f"select * from {spelled}.t")
            with pytest.raises(TableNotFoundError):
                catalog.describe_table(f"{spelled}.t")


LARGE = """
select repeat('x', 300000000)
select repeat('x', 300000000) as a, 1 as a
select lpad('x', 300000000)
select md5('x') where repeat('x', 300000000) <> 'y'
select repeat('x', 300000000) from generate_series(1, 100)
select array_agg(repeat('x', 30000)) from generate_series(1, 10000)
select string_agg(repeat('x', 30000), '') from generate_series(1, 10000)
select json_agg(repeat('x', 30000)) from generate_series(1, 10000)
select repeat('x', 49000) from generate_series(1, 10000)
select x from (select repeat('x', 100000000) as s) x
select convert_to(repeat('x', 300000000), 'UTF8')
with q as (select repeat('x', 300000000) as s) select * from q; -- done
values (repeat('x', 300000000))
""".strip().split("\n")
# Tells what a query costs a process of its own, in MB.
PROGRAM = """
import resource, sys
from tools import CatalogError, PostgresCatalog
with PostgresCatalog(sys.argv[1]) as catalog:
    assert catalog.query("select 'x', 1").rows == [["x", 1]]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for query in sys.stdin.read().split("\\n"):
        try:
            found = catalog.query(query)
            assert len(str(found.rows)) < 100_000, query
        except CatalogError:
            pass
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_no_result_fills_the_memory(alice: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, alice], input="\n".join(LARGE), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 60


def test_a_row_that_is_too_large_is_left_out_with_what_follows(alice: str) -> None:
    with PostgresCatalog(alice, Limits(bytes=1000)) as catalog:
        query = "select n, repeat('x', case n when 3 then 100000 else 10 end) from generate_series(1, 5) n order by n"
        found = catalog.query(query)
        assert found.columns == ["n", "repeat"]
        assert found.rows == [[1, "x" * 10], [2, "x" * 10]]
        assert found.truncated
        assert found.too_large


def test_values_and_their_order_are_what_they_are_without_a_limit(alice: str) -> None:
    query = (
        "select n, 'x' as n, null as n, 1.50 as n, array[1, null] as n, '{\"a\": [1]}'::jsonb as n, true as n,"
        " date '2025-01-01' as n, row(1, 'a') as n from generate_series(3, 1, -1) n order by 1 desc ; -- done"
    )
    with PostgresCatalog(alice) as catalog:
        found = catalog.query(query)
    row = ["x", None, 1.5, [1, None], {"a": [1]}, True, "2025-01-01", ["1", "a"]]
    assert found.columns == ["n"] * 9
    assert found.rows == [[3, *row], [2, *row], [1, *row]]


@pytest.mark.parametrize(
    "text",
    ["values map (1),(2)", "values */ map (1),(2) update set rating", "../../alice", "(((", "\x1b[0m"],
)
def test_what_the_parser_fails_over_is_refused(text: str) -> None:
    for check in (guard.check, unity.check):
        with pytest.raises(QueryRefusedError):
            check(text)
    for name in (guard.table_name, unity.table_name):
        assert len(name(text)) < 3
