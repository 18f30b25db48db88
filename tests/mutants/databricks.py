"""What protects callers on Databricks, and how each protection is taken away."""

from __future__ import annotations

from tests.mutants.mutant import LABELS, Mutant

GUARD = "tools/unity/guard.py"
SOURCES = "tools/unity/sources.py"
FAILURES = "tools/unity/failures.py"
STATEMENTS = "tools/unity/statements.py"
WORKSPACE = "agent/workspace.py"
LAKEBASE = "checkpointer/lakebase.py"
ANSWERS = "checkpointer/answers.py"
LOGINS = "checkpointer/logins.py"
SQL = "tests/databricks/test_databricks_sql.py"
CATALOG = "tests/databricks/test_unity_catalog.py"
FAILING = "tests/databricks/test_unity_failures.py"
CALLERS = "tests/databricks/test_callers.py"
ELSEWHERE = "tests/security/test_other_catalogs.py"
CONNECTIONS = "tests/databricks/test_lakebase.py"

DATABRICKS = [
    Mutant("Databricks SQL: no comments", GUARD, "if token.comments:", "if False:", (SQL,)),
    Mutant("Databricks SQL: no substitution", GUARD, 'if "${" in sql:', "if False:", (SQL,)),
    Mutant(
        "Databricks SQL: no words that Spark reads otherwise",
        GUARD,
        "if token.token_type in _CLOSED_TOKENS:",
        "if False:",
        (SQL,),
    ),
    Mutant("Databricks SQL: no streams", GUARD, " or tree.find(exp.Stream)", "", (SQL,)),
    Mutant("Databricks SQL: no scripts", GUARD, "tree.find(exp.QueryTransform) or ", "", (SQL,)),
    Mutant(
        "Databricks SQL: a query of a WITH clause sees those before it",
        GUARD,
        'seen = queries[: queries.index(node) + bool(parent.args.get("recursive"))]',
        "seen = queries",
        (SQL,),
    ),
    Mutant(
        "Databricks SQL: an alias is one where it stands",
        GUARD,
        "if token.start not in aliases}",
        "if token.text not in {a.this.name for a in tree.find_all(exp.TableAlias) if a.this}}",
        (SQL,),
    ),
    Mutant("Databricks SQL: functions are known", GUARD, "refuse_unknown(called |", "refuse_unknown(set() and", (SQL,)),
    Mutant(
        "Databricks SQL: the platform's own tables are closed",
        GUARD,
        "return catalog in _CLOSED_CATALOGS or schema in _CLOSED_SCHEMAS or",
        "return",
        (SQL,),
    ),
    Mutant(
        "a view whose tables are not told is refused",
        SOURCES,
        "if listed is None or any(len(name) != 3 for name in names):",
        "if any(len(name) != 3 for name in names):",
        (CATALOG,),
    ),
    Mutant("a table of an unknown kind is refused", SOURCES, "if info.table_type is None:", "if False:", (CATALOG,)),
    Mutant("a table that is browsed is not read", SOURCES, "if info.browse_only:", "if False:", (CATALOG,)),
    Mutant(
        "a label under a filter is its reader's own",
        SOURCES,
        "json.dumps([user(), *rules], sort_keys=True)",
        "json.dumps(rules[2:], sort_keys=True)",
        (CATALOG,),
    ),
    Mutant(
        "messages of a running query quote no value",
        FAILURES,
        "if kind in _ANALYSIS:",
        'if (status.sql_state or "").startswith("42"):',
        (FAILING,),
    ),
    Mutant(
        "what a workspace says comes without the SDK's configuration",
        FAILURES,
        '("SQLSTATE", "Config: ", "Env: ")',
        '("SQLSTATE",)',
        (CATALOG,),
    ),
    Mutant("rows are not logged", "tools/unity/__init__.py", "\nhide_bodies()", "\n", (FAILING,)),
    Mutant(
        "what is stopped is cancelled on the warehouse",
        STATEMENTS,
        "self._api.cancel_execution(identity)",
        "pass",
        (FAILING,),
    ),
    Mutant(
        "a request without a token is nobody's",
        WORKSPACE,
        "found = serving.fetch_obo_token()",
        'found = serving.fetch_obo_token() or vars(threading.main_thread()).get("invokers_token")',
        (CALLERS,),
    ),
    Mutant(
        "a client keeps its token",
        WORKSPACE,
        "    return WorkspaceClient(config=config)",
        "    from databricks_ai_bridge import ModelServingUserCredentials as Ambient\n\n"
        "    return WorkspaceClient(credentials_strategy=Ambient())",
        (f"{CALLERS}::test_model_serving_keeps_the_token_of_the_request",),
    ),
    Mutant("token and e-mail address are one person's", WORKSPACE, "if email and", "if False and", (CALLERS,)),
    Mutant(
        "a service's own credentials are nobody's default",
        WORKSPACE,
        "if surface := ephemeral_surface():",
        'if (surface := "") is None:',
        (CALLERS,),
    ),
    Mutant("tokens travel in TLS", LAKEBASE, 'else "require"', 'else "prefer"', (CONNECTIONS,)),
    Mutant("minted tokens are not logged", LAKEBASE, "\n        _hide_credentials()\n", "\n", (CONNECTIONS,)),
    Mutant(
        "a token is renewed before it expires",
        LAKEBASE,
        "self._expires_at - min(_EARLY, (self._expires_at - now) / 5)",
        "self._expires_at",
        (CONNECTIONS,),
    ),
    Mutant(
        "a login is the principal of its saver",
        "checkpointer/saver.py",
        'options["principal"] = Principal(source.user)',
        'options["principal"] = Principal("bob")',
        ("tests/databricks/test_grants.py::test_a_granted_login_uses_its_own_tokens",),
    ),
    Mutant(
        "a login's connections are its own",
        LOGINS,
        "if source.user != principal.name:",
        "if False:",
        ("tests/databricks/test_logins.py",),
    ),
    Mutant(
        "a login's connections that are open are its own",
        LAKEBASE,
        "if not is_theirs:",
        "if False:",
        ("tests/databricks/test_logins.py",),
    ),
    Mutant(
        "other catalogs: whoever binds an answer is a member of the runtime role",
        LABELS,
        "return case when pg_catalog.pg_has_role(session_user, :'runtime_role'::name, 'MEMBER')\n    then nullif",
        "return case when true\n    then nullif",
        (ELSEWHERE,),
    ),
    Mutant(
        "other catalogs: what was not answered is withheld",
        LABELS,
        "when a.relation is null then coalesce(a.id = any(said), a.own)",
        "when a.relation is null then coalesce(a.id = any(said), true)",
        (ELSEWHERE,),
    ),
    Mutant(
        "other catalogs: what a login was told is for that login",
        LABELS,
        "and l.reader = session_user, false) as own",
        "and l.reader is not null, false) as own",
        ("tests/databricks/test_own_login.py",),
    ),
    Mutant(
        "other catalogs: what a login was told runs out",
        LABELS,
        "coalesce(l.expires_at > now() and l.reader",
        "coalesce(l.reader",
        ("tests/databricks/test_own_login.py",),
    ),
    Mutant(
        "other catalogs: who may not read it does not hold it",
        ANSWERS,
        "self._said[principal.name, label] = seen == fingerprint, until",
        "self._said[principal.name, label] = True, until",
        (ELSEWHERE,),
    ),
    Mutant(
        "other catalogs: an answer is of one person",
        ANSWERS,
        "in self._said.items() if name == principal.name}",
        "in self._said.items()}",
        (ELSEWHERE,),
    ),
    Mutant(
        "other catalogs: an answer counts for a minute",
        ANSWERS,
        "in self._said.items() if until <= now]",
        "in self._said.items() if until <= 0]",
        (ELSEWHERE,),
    ),
    Mutant(
        "other catalogs: without credentials nobody was asked",
        ANSWERS,
        "        if principal.sees is None:\n            return None\n",
        "",
        (ELSEWHERE,),
    ),
    Mutant(
        "Unity Catalog: administrators hold what is granted",
        "tools/unity/rights.py",
        "if not _granted(",
        "if False and not _granted(",
        ("tests/databricks/test_administrators.py",),
    ),
    Mutant(
        "Unity Catalog: only the privilege that counts is one",
        "tools/unity/rights.py",
        "held & {privilege, Privilege.ALL_PRIVILEGES}",
        "held",
        ("tests/databricks/test_administrators.py",),
    ),
    Mutant(
        "models: an answer that breaks off is told in our words",
        "agent/models/databricks.py",
        "except (APIError, HTTPError, JSONDecodeError):",
        "except ZeroDivisionError:",
        ("tests/databricks/test_models.py",),
    ),
    Mutant(
        "an app's scopes are those that apps take",
        "agent/scopes.py",
        "for part in _OF_APPS.get(scope, (scope,))}",
        "for part in (scope,)}",
        ("tests/bundle/test_bundle.py",),
    ),
    Mutant(
        "the offline model writes Databricks SQL for a warehouse",
        "agent/models/offline/model.py",
        'DATABRICKS if "Databricks" in bound.get("query", "") else POSTGRES',
        "POSTGRES",
        ("tests/databricks/test_offline_sql.py",),
    ),
    Mutant(
        "an apostrophe of Databricks SQL is escaped",
        "agent/models/offline/dialects.py",
        """.replace("'", "\\\\'")""",
        "",
        ("tests/databricks/test_offline_sql.py",),
    ),
]
