"""Databricks SQL that a model, or somebody who talks to it, could try: none of it is sent to the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databricks.warehouse import WAREHOUSE
from tools import QueryRefusedError
from tools.unity import UnityCatalog, guard

if TYPE_CHECKING:
    from tests.databricks.stand_in import StandIn

REFUSED = r"""
drop table c.s.t
delete from c.s.t
insert into c.s.t select 1
insert overwrite c.s.t select 1
update c.s.t set a = 1
merge into c.s.t using c.s.u on true when matched then delete
truncate table c.s.t
create table c.s.x as select 1
create or replace temporary view v as select 1
create function c.s.f() returns int return 1
alter table c.s.t owner to bob
grant select on table c.s.t to bob
copy into c.s.t from 'x'
optimize c.s.t
vacuum c.s.t
refresh table c.s.t
cache table c.s.t
set x = 1
set var x = 1
declare variable x int
use catalog c
call c.s.p()
execute immediate 'select 1'
begin select 1; end
explain select 1
describe table c.s.t
show tables
table c.s.t
values (1)
select 1; drop table c.s.t
select 1; select 2
with q as (select 1) insert into c.s.t select * from q
select * from c.s.t for update
select * from t
select * from s.t
select * from c.s.t.u
select * from delta.`/mnt/x`
select * from parquet.`s3://bucket/x`
select * from json.`/Volumes/c/s/v/x.json`
select * from identifier('c.s.t')
select * from identifier(:t)
select * from table(c.s.f(1))
select * from (table t)
select * from stream c.s.t
select * from stream(c.s.t)
select * from read_files('/x')
select * from `read_files`('/x')
select * from table_changes('c.s.t', 1)
select * from event_log('x')
select * from remote_query('x')
select * from vector_search(index => 'c.s.i', query => 'x')
select * from values (1) as read_files(a), read_files('/x')
select * from c.s.t lateral view explode(a) read_files as y, read_files('/x')
select current_user() from values (1) as current_user(a)
select c.s.f(1)
select s.f(1)
select f(1)
select ai_query('m', 'p')
select AI_QUERY ('m', 'p')
select http_request(conn => 'x')
select secret('scope', 'key')
select try_secret('scope', 'key')
select reflect('java.lang.System', 'exit')
select java_method('java.lang.System', 'exit')
select input_file_name()
select is_account_group_member('x')
select current_user()
select raise_error('x')
select transform(a) using 'cat' as (b) from c.s.t
select * from c.information_schema.tables
select * from system.access.audit
select * from c.mooring.threads
select * from `C`.`Information_Schema`.tables
select :name
select ?
select '${spark.conf}'
select ${x}
select r'\'
from c.s.t |> select *
select /*+ broadcast(t) */ 1
select 1 -- comment
select 1 /* comment */
select {# comment #} 1
with q as (select * from q) select * from q
with q as (select * from r), r as (select 1) select * from q
select * from (with q as (select 1) select * from q), q
select (with q as (select 1) select 1 from q) from q
""".strip().splitlines()

# What sqlglot would take for a string, Spark reads as code: its comments go on after a backslash at the line's end.
HIDDEN = "select 1 -- \\\n, '\nfrom c.s.secret --'"

ALLOWED = """
select 1
select * from c.s.t
select * from C.`S`.t
with q as (select * from c.s.t) select * from q
with q (n) as (select a from c.s.t) select n from q union all select 1
with recursive r (n) as (select a from c.s.t union all select n + 1 from r where n < 5) select n from r
with q as (select 1 a), r as (select * from q) select * from r join (select * from q) using (a), c.s.t
select count(*), sum(a) filter (where b > 1), percentile_cont(0.5) within group (order by a) from c.s.t group by all
select * except (a) from c.s.t qualify row_number() over (partition by b order by c) = 1
select x.y.z, m['k'], a[0], j:path.to[0]::int from c.s.t
select * from c.s.t lateral view explode(a) x as y
select * from c.s.t pivot (sum(a) for b in ('x', 'y'))
select * from c.s.t version as of 3
select * from range(3) as r(n), values (1, 'a') as v(i, s), c.s.t
select transform(array(1, 2), x -> x + 1), aggregate(array(1), 0, (acc, x) -> acc + x), named_struct('a', 1) from c.s.t
select case when (a > 1) then (2) else 3 end, cast(a as decimal(10, 2)), try_cast(b as int) from c.s.t
select date_trunc('month', d), datediff(day, a, b), interval 1 day, date '2025-01-01' from c.s.t
select 'it''s', "it's", 'a\\'b' from c.s.t where a not in (1, 2) and exists (select 1 from c.s.t)
select * from c.s.t tablesample (10 percent)
""".strip().splitlines()


@pytest.mark.parametrize("sql", [*REFUSED, HIDDEN, "", "select " + "(" * 200 + "1" + ")" * 200, "select '\ud800'"])
def test_refused(stand_in: StandIn, sql: str) -> None:
    with pytest.raises(QueryRefusedError, match="The query was not run"):
        UnityCatalog(stand_in.client("alice"), WAREHOUSE).query(sql)
    assert not stand_in.workspace.sent("/api/")


@pytest.mark.parametrize("sql", ALLOWED)
def test_allowed(sql: str) -> None:
    assert guard.check(sql) == ({("c", "s", "t")} if "c.s.t" in sql.lower().replace("`", "") else set())
