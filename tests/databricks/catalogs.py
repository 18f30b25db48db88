"""Catalogs of people in the stand-in workspace, and views over the sample that they may read or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.databricks.warehouse import WAREHOUSE
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from tests.databricks.stand_in import StandIn

REVIEWS = "select count(*) as n from lakehouse.bakehouse.reviews"
VIEWS = """
drop schema if exists moored cascade;
create schema moored;
create view moored.fives as select review_id, franchise_id from bakehouse.reviews where rating = 5;
create view moored.shops as select f.name from moored.fives v join bakehouse.franchises f using (franchise_id);
create materialized view moored.kept as select count(*) as n from hr.employees;
create table moored.words (id int primary key, word text);
insert into moored.words values (1, 'xyzzy');
grant usage on schema moored to alice, bob;
grant select on all tables in schema moored to alice;
"""


def catalog(stand_in: StandIn, user: str, **options: Any) -> UnityCatalog:
    return UnityCatalog(stand_in.client(user), WAREHOUSE, catalogs=["lakehouse"], **options)
