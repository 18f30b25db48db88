"""Who may use the sessions on Lakebase: roles of Databricks identities, the schema with its policies, and grants.

Everything may be run again, and says the same to a database administrator who would rather run it by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from agent.errors import MooringError
from checkpointer import GovernedPostgresSaver

if TYPE_CHECKING:
    from typing import LiteralString

_ROLE = """
begin
  if not exists (select from pg_catalog.pg_roles where rolname = {name}) then
    perform databricks_create_role({name}, {kind});
  end if;
end
"""
_GROUP = """
begin
  if not exists (select from pg_catalog.pg_roles where rolname = {name}) then
    create role {role} nologin;
  end if;
end
"""
# Whoever logs in stores their own sessions with the rights of the runtime role; policies see who they are.
_LOGINS = """
declare
  statement text;
begin
  for statement in
    select format('grant %s on %I.%I to %I', a.privilege_type, n.nspname, c.relname, {logins})
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace,
      aclexplode(c.relacl) a join pg_catalog.pg_roles r on r.oid = a.grantee
    where n.nspname = {schema} and r.rolname = {service}
    union all
    select format('grant %s (%I) on %I.%I to %I', a.privilege_type, t.attname, n.nspname, c.relname, {logins})
    from pg_catalog.pg_attribute t join pg_catalog.pg_class c on c.oid = t.attrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace,
      aclexplode(t.attacl) a join pg_catalog.pg_roles r on r.oid = a.grantee
    where n.nspname = {schema} and r.rolname = {service}
    union all
    select format('grant execute on function %s to %I', p.oid::regprocedure, {logins})
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace,
      aclexplode(p.proacl) a join pg_catalog.pg_roles r on r.oid = a.grantee
    where n.nspname = {schema} and r.rolname = {service}
  loop
    execute statement;
  end loop;
end
"""


@dataclass(frozen=True, slots=True)
class Grants:
    """What to grant.

    Args:
        service: The runtime identity: the application id of a service principal, whose pool is the broker's.
        users: People who log in by themselves, by their Databricks user names.
        logins: A group role that the people become members of; nobody logs in as it.
        schema: Where the sessions are.
    """

    service: str
    users: Sequence[str] = ()
    logins: str = "mooring_login"
    schema: str = "mooring"

    def text(self) -> str:
        """Return all of it as SQL."""
        schema = GovernedPostgresSaver.migration_sql(
            runtime_role=self.service, login_role=self.logins, schema=self.schema
        )
        before = [f"{statement};" for statement in self._before()]
        return "\n".join([*before, "", schema, f"{self._after()};", ""])

    def run(self, conninfo: str) -> list[str]:
        """Grant it, logged in as the schema's owner-to-be; return the names of the migrations that were missing.

        Raises:
            MooringError: The database refuses; what came before is kept, and running it again goes on.
        """
        try:
            with psycopg.connect(conninfo, autocommit=True, application_name="mooring lakebase grant") as conn:
                for statement in self._before():
                    conn.execute(statement.encode())
                applied = GovernedPostgresSaver.migrate(
                    conninfo, runtime_role=self.service, login_role=self.logins, schema=self.schema
                )
                conn.execute(self._after().encode())
        except psycopg.errors.InsufficientPrivilege as error:
            problem = f"The database refused: {error.diag.message_primary}"
            raise MooringError(problem, "log in as an identity that may create roles, such as the owner") from error
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
            raise MooringError(
                "This database has no extension databricks_auth", "name a Lakebase database; it has one"
            ) from error
        except psycopg.Error as error:
            problem = f"The grants failed: {error.diag.message_primary or type(error).__name__}"
            raise MooringError(problem, "mend it and run this again") from error
        return applied

    def _before(self) -> list[str]:
        group = sql.Identifier(self.logins)
        made = [
            "create extension if not exists databricks_auth",
            _block(_ROLE, name=sql.Literal(self.service), kind=sql.Literal("SERVICE_PRINCIPAL")),
            _block(_GROUP, name=sql.Literal(self.logins), role=group),
        ]
        for user in self.users:
            made.append(_block(_ROLE, name=sql.Literal(user), kind=sql.Literal("USER")))
            made.append(sql.SQL("grant {} to {}").format(group, sql.Identifier(user)).as_string(None))
        return made

    def _after(self) -> str:
        given = {"schema": self.schema, "service": self.service, "logins": self.logins}
        return _block(_LOGINS, **{name: sql.Literal(value) for name, value in given.items()})


def _block(body: LiteralString, **values: sql.Composable) -> str:
    return sql.SQL("do {}").format(sql.Literal(sql.SQL(body).format(**values).as_string(None))).as_string(None)
