"""SQL that a model, or somebody who talks to it, could try: none of it runs, none of it leaves a trace."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tools import CatalogError, PostgresCatalog, QueryRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

REFUSED = """
drop table bakehouse.reviews
delete from bakehouse.reviews
insert into bakehouse.reviews select * from bakehouse.reviews
update bakehouse.reviews set rating = 5
merge into bakehouse.reviews r using bakehouse.franchises f on true when matched then delete
truncate bakehouse.reviews
create table x as select 1
create temp view v as select 1
alter role alice superuser
grant alice to bob
with x as (delete from bakehouse.reviews returning *) select * from x
with x as (update bakehouse.reviews set rating = 1 returning *) select count(*) from x
with x as (insert into bakehouse.reviews values (1)) select 1
select * into scratch from bakehouse.reviews
select 1; drop table bakehouse.reviews
select 1; select 2
; delete from bakehouse.reviews
select * from bakehouse.reviews for update
select * from bakehouse.reviews for share skip locked
copy bakehouse.reviews to '/tmp/x'
copy (select 1) to program 'id'
do $$ begin perform 1; end $$
call something()
set role bob
reset role
set session authorization bob
show all
begin
commit
listen x
notify x
lock table bakehouse.reviews
vacuum
explain analyze delete from bakehouse.reviews
explain select 1
prepare p as select 1
execute p
declare c cursor for select 1
fetch all from c
load 'x'
select set_config('role', 'bob', true)
with x as materialized (select set_config('role', 'bob', true)) select f.* from x, bakehouse.franchises f
select pg_sleep(1)
select PG_SLEEP(1)
select pg_sleep (1)
select pg_sleep/* */(1)
select "pg_sleep"(1)
select U&"\\0070g_sleep"(1)
select pg_catalog.pg_sleep(1)
select pg_catalog.lower('X')
select current_setting('data_directory')
select pg_read_file('/etc/passwd')
select pg_ls_dir('/')
select lo_import('/etc/passwd')
select lo_get(1)
select lo_from_bytea(0, 'x')
select * from dblink('dbname=lakehouse', 'select 1') as t(a int)
select query_to_xml('select * from bakehouse.reviews', true, true, '')
select table_to_xml('bakehouse.reviews', true, true, '')
select database_to_xml(true, true, '')
select * from ts_stat('select review from bakehouse.reviews')
select ts_rewrite('a'::tsquery, 'select 1')
select pg_terminate_backend(1)
select pg_advisory_lock(1)
select txid_current()
select nextval('x')
select setval('x', 1)
select has_table_privilege('hr.salaries', 'select')
select inet_server_addr()
select version()
select pg_notify('x', 'y')
select xmltable.* from xmltable('/a' passing pg_read_file('x') columns a int) as xmltable
select * from rows from (pg_ls_dir('/')) as x
select * from bakehouse.reviews where pg_sleep(1) is null
select * from bakehouse.reviews order by (select pg_sleep(1))
select count(*) filter (where pg_sleep(1) is null) from bakehouse.reviews
select sum(1) over (order by pg_sleep(1))
select * from bakehouse.reviews tablesample system (pg_backend_pid())
select * from pg_authid
select * from pg_catalog.pg_shadow
select * from "pg_catalog".pg_roles
select * from information_schema.tables
select * from mooring.threads
select * from Mooring.items
select * from pg_toast.pg_toast_1
select * from pg_stat_activity
with pg_authid(a) as (select 1) select * from pg_authid
with pg_sleep(a) as (select 1) select pg_sleep(1)
select * from (select 1) as pg_sleep(a), pg_sleep(1)
select a operator(pg_catalog.+) 1 from (select 1) t(a)
select $1
select :name
select like_escape('a', 'b')
""".strip().split("\n")


@pytest.fixture
def catalog(alice: str) -> Iterator[PostgresCatalog]:
    with PostgresCatalog(alice) as opened:
        yield opened


@pytest.mark.parametrize("sql", REFUSED)
def test_refused_before_it_runs(catalog: PostgresCatalog, sql: str) -> None:
    with pytest.raises(QueryRefusedError):
        catalog.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "--",
        "select \0",
        "select '\ud800'",
        "select 1" + " " * 30_000,
        "select " + "(" * 5_000 + "1" + ")" * 5_000,
        "select 1 /* " + "/*" * 50,
        "select '",
        'select "',
        "select $a$ x",
    ],
)
def test_malformed_text_is_refused(catalog: PostgresCatalog, sql: str) -> None:
    with pytest.raises(QueryRefusedError):
        catalog.query(sql)


@pytest.mark.parametrize("sql", ["select " + "not " * 4_000 + "true", "select " + "+".join("1" * 9_000)])
def test_deep_expressions_do_no_harm(catalog: PostgresCatalog, sql: str) -> None:
    with contextlib.suppress(CatalogError):
        catalog.query(sql)
    assert catalog.query("select 1").rows == [[1]]


def test_one_statement_may_end_in_a_semicolon(catalog: PostgresCatalog) -> None:
    assert catalog.query("select 1; -- done").rows == [[1]]


def test_a_backslash_cannot_end_a_string_early(alice: str) -> None:
    sql = r"select '\'' , pg_backend_pid() -- '"
    with PostgresCatalog(f"{alice} options='-c standard_conforming_strings=off'") as catalog:
        assert catalog.query(sql).rows == [[r"\' , pg_backend_pid() -- "]]


def test_the_transaction_is_read_only_for_what_hides_a_write(alice: str, admin: psycopg.Connection) -> None:
    admin.execute(
        """
        create schema trap;
        create function trap.wipe() returns int language plpgsql security definer
          as 'begin delete from bakehouse.reviews; return 1; end';
        create function trap.calm() returns int language plpgsql immutable security definer
          as 'begin return trap.wipe(); end';
        create view trap.harmless as select trap.calm() as n;
        grant usage on schema trap to alice; grant select on trap.harmless to alice;
        """
    )
    try:
        before = admin.execute("select count(*) from bakehouse.reviews").fetchone()
        with PostgresCatalog(alice) as catalog, pytest.raises(CatalogError, match="25006"):
            catalog.query("select n from trap.harmless")
        assert admin.execute("select count(*) from bakehouse.reviews").fetchone() == before
    finally:
        admin.execute("drop schema trap cascade")
