"""The roles, tables and views of `tests.security.reference`, in Postgres, and how each change is made to both."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from agent.catalogs import catalog_of
from agent.identity import Caller
from agent.settings import Settings
from checkpointer import Principal
from tests.logins import login_as
from tests.security.reference import COLUMNS, CREW, FIGURES, KEEPER, PEOPLE, SELLERS, Policy, Reference, Table, View

if TYPE_CHECKING:
    from agent.database import Database
    from tests.security.reference import Where
    from tools import PostgresCatalog

POLICIES: dict[str, tuple[Policy, ...]] = {
    "everything": (Policy("true"),),
    "one's own": (Policy("person"),),
    "north": (Policy("north"),),
    "south": (Policy("south"),),
    "the crew sees all": (Policy("true", for_crew=True),),
    "members see all": (Policy("member"),),
    "as the mapping says": (Policy("mapping"),),
    "no expression": (Policy(None),),
    "nothing but north": (Policy("true"), Policy("north", permissive=False)),
    "north, and one's own": (Policy("north"), Policy("person")),
    "north, for the crew the south": (Policy("north"), Policy("south", for_crew=True)),
}
SPELLINGS = ("true", "on", "1", "yes")


class Estate:
    """Use it with `with`."""

    def __init__(self, lakehouse: Database, admin: psycopg.Connection[Any], reference: Reference) -> None:
        self.lakehouse = lakehouse
        self.reference = reference
        self._admin = admin
        self.name = f"cross_{uuid4().hex[:8]}"
        self.tables = {name: Table(name) for name in ("sales", "costs")}
        self.away: dict[str, list[Table]] = {name: [] for name in self.tables}
        sales, costs = self.tables.values()
        inner = View("inner_costs", costs, invoker=True)
        self.views = {v.name: v for v in (View("seen_sales", sales), inner, View("seen_costs", inner))}
        self._stack = ExitStack()

    def __enter__(self) -> Estate:
        self._stack.callback(self._remove)
        roles = [f"create role {self.role(person)} login password 'secret' in role mooring_user" for person in PEOPLE]
        roles += [f"create role {self.role(CREW)}", f"create role {self.role(KEEPER)}"]
        schemas = [f"create schema {self.schema(kind)}" for kind in ("tables", "views", "maps")]
        self.run(
            *roles,
            *schemas,
            f"grant usage on schema {self.schema('maps')} to public",
            f"create table {self._map} (login text, seller text)",
            f"grant select on {self._map} to public",
        )
        for table in self.tables.values():
            self._create(table)
        for view in self.views.values():
            self.define(view, view.where, invoker=view.invoker)
            self.run(f"alter view {self.at(view)} owner to {self.role(KEEPER)}")
        self.catalogs = {p: self._stack.enter_context(self._catalog(p)) for p in PEOPLE}
        self.logins = {p: self._stack.enter_context(psycopg.connect(self._login(p), autocommit=True)) for p in PEOPLE}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- names ------------------------------------------------------------------------------------------------

    def role(self, who: str) -> str:
        """Return the role of a short name."""
        return f"{self.name}_{who}"

    def schema(self, kind: str) -> str:
        """Return the schema of tables, views or maps."""
        return f"{self.name}_{kind}"

    def at(self, thing: Table | View) -> str:
        """Return how SQL names a thing."""
        return f"{self.schema(thing.schema)}.{thing.name}"

    def principal(self, person: str) -> Principal:
        """Return a person, authenticated."""
        return Principal(self.role(person))

    def caller(self, person: str) -> Caller:
        """Return a person with their own login."""
        return Caller(self.principal(person), self._login(person))

    def things(self) -> list[Table | View]:
        """Return what there is to read, under its present names."""
        return [*self.tables.values(), *self.views.values()]

    def named(self, name: str) -> Table | View:
        """Return what SQL means by a name now."""
        return next(thing for thing in self.things() if self.at(thing) == name)

    # --- changes ----------------------------------------------------------------------------------------------

    def run(self, *statements: str) -> None:
        """Run SQL as a superuser, in one round trip."""
        self._admin.execute(";".join(statements).encode())

    def grant(self, who: str, thing: Table | View) -> None:
        """Grant SELECT on all of a thing."""
        thing.granted.add(who)
        self.run(f"grant select on {self.at(thing)} to {self.role(who)}")

    def revoke(self, who: str, thing: Table | View) -> None:
        """Revoke SELECT, also from its columns."""
        thing.granted.discard(who)
        if isinstance(thing, Table):
            thing.columns.pop(who, None)
        self.run(f"revoke select on {self.at(thing)} from {self.role(who)}")

    def grant_columns(self, who: str, table: Table, columns: list[str]) -> None:
        """Grant SELECT on columns, and on those that rows are told apart by."""
        granted = {"seller", "region", *columns}
        table.columns.setdefault(who, set()).update(granted)
        self.run(f"grant select ({', '.join(sorted(granted))}) on {self.at(table)} to {self.role(who)}")

    def revoke_column(self, who: str, table: Table, column: str) -> None:
        """Revoke SELECT on one column, which a grant on the table does not mind."""
        table.columns.get(who, set()).discard(column)
        self.run(f"revoke select ({column}) on {self.at(table)} from {self.role(who)}")

    def open_schema(self, who: str, kind: str, *, usage: bool) -> None:
        """Grant or revoke USAGE on a schema."""
        users = self.reference.usage[kind]
        users.add(who) if usage else users.discard(who)
        verb, to = ("grant", "to") if usage else ("revoke", "from")
        self.run(f"{verb} usage on schema {self.schema(kind)} {to} {self.role(who)}")

    def join(self, person: str, *, member: bool) -> None:
        """Make somebody a member of the crew, or no longer."""
        crew = self.reference.crew
        if member != (person in crew):
            crew.symmetric_difference_update({person})
            verb, to = ("grant", "to") if member else ("revoke", "from")
            self.run(f"{verb} {self.role(CREW)} {to} {self.role(person)}")

    def filter(self, table: Table, policies: tuple[Policy, ...] | None) -> None:
        """Put these policies in the place of a table's, or switch them off."""
        old, table.policies, table.filtered = table.policies, policies or (), policies is not None
        verb = "disable" if policies is None else "enable"
        self.run(
            *(f"drop policy p{n} on {self.at(table)}" for n in range(len(old))),
            *(f"create policy p{n} on {self.at(table)} {self._policy(p)}" for n, p in enumerate(table.policies)),
            f"alter table {self.at(table)} {verb} row level security",
        )

    def map(self, person: str, seller: str) -> None:
        """Let the mapping table say that somebody sees a seller's rows, or no longer."""
        rows = self.reference.mapping
        rows.symmetric_difference_update({(person, seller)})
        values = f"'{self.role(person)}', '{self._seller(seller)}'"
        if (person, seller) in rows:
            self.run(f"insert into {self._map} values ({values})")
        else:
            self.run(f"delete from {self._map} where (login, seller) = ({values})")

    def define(self, view: View, where: Where, *, invoker: bool, spelling: str = "true") -> None:
        """Define a view anew."""
        view.where, view.invoker = where, invoker
        option = f"with (security_invoker = {spelling})" if invoker else ""
        self.run(
            f"create or replace view {self.at(view)} {option} as "
            f"select {', '.join(COLUMNS)} from {self.at(view.base)} where {self._expression(where)}"
        )

    def replace(self, name: str) -> None:
        """Rename a table away, and put another of its name in its place, which nobody may read yet."""
        old = self.tables[name]
        kept = f"{name}_{old.number}"
        self.run(f"alter table {self.at(old)} rename to {kept}")
        old.name = kept
        self.away[name].append(old)
        self.tables[name] = Table(name)
        self._create(self.tables[name])

    def bring_back(self, name: str) -> None:
        """Give a table that was renamed away its name again, and the present one another."""
        if not self.away[name]:
            return
        back, present = self.away[name].pop(0), self.tables[name]
        kept = f"{name}_{present.number}"
        self.run(f"alter table {self.at(present)} rename to {kept}", f"alter table {self.at(back)} rename to {name}")
        present.name, back.name = kept, name
        self.away[name].append(present)
        self.tables[name] = back

    def wait(self, hours: int) -> None:
        """Let labels grow older."""
        for reading in self.reference.readings:
            reading.hours += hours
        self.run(
            f"update mooring.labels set expires_at = expires_at - interval '{hours} hours' "
            f"where source like 'lakehouse.{self.name}%'"
        )

    # --- inside -----------------------------------------------------------------------------------------------

    @property
    def _map(self) -> str:
        return f"{self.schema('maps')}.sees"

    def _login(self, person: str) -> str:
        return login_as(self.lakehouse, self.role(person))

    def _catalog(self, person: str) -> PostgresCatalog:
        return catalog_of(Settings(), self.caller(person))

    def _seller(self, seller: str) -> str:
        return self.role(seller) if seller in PEOPLE else seller

    def _create(self, table: Table) -> None:
        rows = [
            f"('{self._seller(seller)}', '{region}', {', '.join(table.figures[seller, each] for each in FIGURES)})"
            for seller, region in SELLERS.items()
        ]
        self.run(
            f"create table {self.at(table)} (seller text, region text, amount int, margin int)",
            f"insert into {self.at(table)} values {', '.join(rows)}",
        )

    def _policy(self, policy: Policy) -> str:
        kind = "" if policy.permissive else "as restrictive"
        to = f"to {self.role(CREW)}" if policy.for_crew else ""
        using = "with check (true)" if policy.rule is None else f"using ({self._expression(policy.rule)})"
        return f"{kind} {to} {using}"

    def _expression(self, rule: str) -> str:
        match rule:
            case "true":
                return "true"
            case "person":
                return "seller = current_user"
            case "mapping":
                return f"seller in (select m.seller from {self._map} m where m.login = current_user)"
            case "member":
                return f"pg_has_role('{self.role(CREW)}', 'USAGE')"
            case _:
                return f"region = '{rule}'"

    def _remove(self) -> None:
        roles = ", ".join(map(self.role, (*PEOPLE, CREW, KEEPER)))
        schemas = ", ".join(map(self.schema, ("tables", "views", "maps")))
        self.run(f"drop schema {schemas} cascade", f"drop owned by {roles}", f"drop role {roles}")
