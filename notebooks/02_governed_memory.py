# %% [markdown]
# # Memory that obeys the data's access rules
#
# What a bot once said from a table is data of that table. Here two people ask, a grant is revoked, a session is shared,
# and the database itself decides who reads what: in the session, and in SQL.

# %%
import psycopg
from psycopg import sql

from agent.notebook import connect

alice, bob = connect("alice"), connect("bob")
alice.tables()

# %%
bob.tables()

# %% [markdown]
# Bob reads `hr`; of `bakehouse` he sees his own country's rows. The same question has two answers.

# %%
hers, his = alice.session("reviews"), bob.session("salaries")
hers.delete()
his.delete()
hers.ask("how many reviews are there?")

# %%
bob.session("bobs-reviews").ask("how many reviews are there?")

# %% [markdown]
# ## A grant is revoked
#
# The owner of the data takes `bakehouse.reviews` away from alice. Her session keeps its shape; what came from the table is
# withheld from now on, and comes back with the grant.

# %%


def as_owner(statement: str) -> None:
    """Run a statement as the administrator of the embedded database."""
    with psycopg.connect(alice.host.database.superuser, autocommit=True) as conn:
        conn.execute(sql.SQL(statement))


as_owner("revoke select on bakehouse.reviews from alice")
hers

# %%
as_owner("grant select on bakehouse.reviews to alice")
hers

# %% [markdown]
# ## A session is shared
#
# Bob asks about salaries and about tables, and shares the session with alice. She reads what she could have asked herself.

# %%
his.ask("average salary per department in 2025")
his.ask("what tables do I have?")
his.share("alice")
his

# %%
alice.session("salaries", owner="bob")

# %% [markdown]
# ## The transcript in SQL
#
# Sessions are views beside the operational tables, each read with one's own rights. Alice joins the answers with her shops:

# %%
hers.ask("top 3 franchises by revenue")
alice.sql("""
    select f.name, f.city, f.size, count(*) as answers_that_name_it
    from mooring.messages m join bakehouse.franchises f on m.content ilike '%' || f.name || '%'
    where m.role = 'assistant' group by f.name, f.city, f.size order by f.name
""")

# %% [markdown]
# Bob's shared session is in her view too. What is withheld is null, whatever SQL says.

# %%
alice.sql("""
    select owner, position, role, withheld, left(content, 40) as content, sources
    from mooring.messages where owner = 'bob' order by position
""")

# %%
for session in (hers, his, bob.session("bobs-reviews")):
    session.delete()
alice.close()
bob.close()
