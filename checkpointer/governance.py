"""What people and administrators do with threads besides running them: name, share, keep, explain and audit them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from checkpointer import audit as auditing
from checkpointer import feedback as opinions
from checkpointer import operations, reasons, sessions, sharing
from checkpointer import retention as retaining
from checkpointer.addresses import valid_owner, valid_thread_id
from checkpointer.driven import Driven
from checkpointer.policy import FOREVER, Retention
from checkpointer.principal import Principal, current_principal
from checkpointer.retention import Expired, Expiry

if TYPE_CHECKING:
    from datetime import timedelta

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple

    from checkpointer.audit import AuditLine
    from checkpointer.feedback import Feedback, Rating
    from checkpointer.operations import Operation
    from checkpointer.reasons import MessageReasons
    from checkpointer.sessions import Session
    from checkpointer.sharing import Share, ShareRole


class Governance(Driven):
    """The methods beyond LangGraph's contract."""

    # --- retention --------------------------------------------------------------------------------------------

    def set_retention(self, thread_id: str, retention: Retention | None) -> None:
        """Give a thread a policy of its own, which goes before every other; None takes it away.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            ValueError: Reads are to count as use, and this saver was opened without a policy.
        """
        who = current_principal(self._principal)
        self._run(self._set_retention(who, thread_id, retention), who)

    async def aset_retention(self, thread_id: str, retention: Retention | None) -> None:
        """Async version of `set_retention`."""
        who = current_principal(self._principal)
        await self._arun(self._set_retention(who, thread_id, retention), who)

    def get_retention(self, thread_id: str) -> Retention | None:
        """Return a thread's own policy, None where it has none.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
        """
        who = current_principal(self._principal)
        return self._run(retaining.get_retention(who.name, valid_thread_id(thread_id)), who)

    async def aget_retention(self, thread_id: str) -> Retention | None:
        """Async version of `get_retention`."""
        who = current_principal(self._principal)
        return await self._arun(retaining.get_retention(who.name, valid_thread_id(thread_id)), who)

    def expire(
        self,
        thread_ids: Sequence[str] | None = None,
        *,
        retention: Retention | None = None,
        dry_run: bool = False,
    ) -> Sequence[Expired]:
        """Delete what the policies say of the principal's threads, and return what went and what was blocked.

        Whole threads go a `ttl` after their last use; of the others, older checkpoints beyond `keep_last`, with what
        only they refer to. A thread under legal hold and one with a run going stay, and are named.

        Args:
            thread_ids: Only these; without, all of the principal's.
            retention: The policy for threads that have none of their own, instead of the saver's.
            dry_run: Only say what would go.
        """
        who, expiry = self._expiry(thread_ids, retention, dry_run)
        found: list[Expired] = []
        while not expiry.done:
            found += self._run(expiry.page(self._memory), who)
        return found

    async def aexpire(
        self,
        thread_ids: Sequence[str] | None = None,
        *,
        retention: Retention | None = None,
        dry_run: bool = False,
    ) -> Sequence[Expired]:
        """Async version of `expire`."""
        who, expiry = self._expiry(thread_ids, retention, dry_run)
        found: list[Expired] = []
        while not expiry.done:
            found += await self._arun(expiry.page(self._memory), who)
        return found

    # --- sessions ---------------------------------------------------------------------------------------------

    def sessions(
        self, *, thread_id: str | None = None, owner: str | None = None, limit: int = 1000
    ) -> Sequence[Session]:
        """Return the principal's sessions, the one used last first; with an owner, those that they share with them."""
        who = current_principal(self._principal)
        return self._run(sessions.list_sessions(valid_owner(owner) or who.name, thread_id, limit), who)

    async def asessions(
        self, *, thread_id: str | None = None, owner: str | None = None, limit: int = 1000
    ) -> Sequence[Session]:
        """Async version of `sessions`."""
        who = current_principal(self._principal)
        return await self._arun(sessions.list_sessions(valid_owner(owner) or who.name, thread_id, limit), who)

    def rename(self, thread_id: str, title: str | None, *, if_untitled: bool = False) -> None:
        """Give a session a title; its thread id stays.

        Args:
            thread_id: Of the principal's own session.
            title: What it is called from now on; None for nothing.
            if_untitled: One that has a title keeps it.

        Raises:
            ThreadNotFoundError: The principal has no such session.
        """
        who = current_principal(self._principal)
        renaming = sessions.rename(who.name, valid_thread_id(thread_id), title, if_untitled=if_untitled)
        self._run(self._fenced(renaming, who, [thread_id]), who)

    async def arename(self, thread_id: str, title: str | None, *, if_untitled: bool = False) -> None:
        """Async version of `rename`."""
        who = current_principal(self._principal)
        renaming = sessions.rename(who.name, valid_thread_id(thread_id), title, if_untitled=if_untitled)
        await self._arun(self._fenced(renaming, who, [thread_id]), who)

    def why(self, thread_id: str) -> Sequence[MessageReasons]:
        """Explain, for each message of a session, from which tables it was derived and whether it may be read now.

        Raises:
            ThreadNotFoundError: The principal has no such session.
        """
        who = current_principal(self._principal)
        return self._run(reasons.why(who.name, valid_thread_id(thread_id)), who)

    async def awhy(self, thread_id: str) -> Sequence[MessageReasons]:
        """Async version of `why`."""
        who = current_principal(self._principal)
        return await self._arun(reasons.why(who.name, valid_thread_id(thread_id)), who)

    # --- feedback ---------------------------------------------------------------------------------------------

    def rate(self, config: RunnableConfig, number: int, rating: Rating, comment: str | None = None) -> Feedback:
        """Store what the principal thinks of a message, instead of what they thought before.

        Args:
            config: Of the checkpoint that has the message, as `get_tuple` returns it; one's own, or a shared one.
            number: Which of its `messages`, from 0.
            rating: "up" or "down".
            comment: At most 2,000 characters.

        Raises:
            MessageNotFoundError: The principal sees no such message.
            MessageWithheldError: They may not read it now.
            ThreadHeldError: It changes what is under legal hold.
            FeedbackError: The rating or the comment is not possible.
        """
        who, where = self._where(config, starts=True)
        return self._run(opinions.rate(who.name, where, number, rating, comment), who)

    async def arate(self, config: RunnableConfig, number: int, rating: Rating, comment: str | None = None) -> Feedback:
        """Async version of `rate`."""
        who, where = self._where(config, starts=True)
        return await self._arun(opinions.rate(who.name, where, number, rating, comment), who)

    def ratings(self, config: RunnableConfig) -> Sequence[Feedback]:
        """Return what is thought of a checkpoint's messages: by the principal, and of their own thread by others.

        What is said of a message that is withheld is withheld as well.
        """
        who, where = self._where(config, starts=True)
        return self._run(opinions.ratings(where), who)

    async def aratings(self, config: RunnableConfig) -> Sequence[Feedback]:
        """Async version of `ratings`."""
        who, where = self._where(config, starts=True)
        return await self._arun(opinions.ratings(where), who)

    # --- sharing ----------------------------------------------------------------------------------------------

    def share(self, thread_id: str, with_: str, role: ShareRole = "viewer") -> None:
        """Share a thread of the principal's, which others address by `configurable["thread_owner"]`.

        A viewer reads it, an editor goes on with it, each as themselves: what was derived from tables is shown to those
        who may read them in the same way.

        Args:
            thread_id: One's own thread.
            with_: A principal's name, or `group:` and the name of a group.
            role: What they may do; who has the thread already gets this role.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            ValueError: The name cannot be one, is the principal's own, or the role is neither.
        """
        who = current_principal(self._principal)
        self._run(sharing.share(who.name, valid_thread_id(thread_id), with_, role), who)

    async def ashare(self, thread_id: str, with_: str, role: ShareRole = "viewer") -> None:
        """Async version of `share`."""
        who = current_principal(self._principal)
        await self._arun(sharing.share(who.name, valid_thread_id(thread_id), with_, role), who)

    def unshare(self, thread_id: str, with_: str) -> None:
        """Share a thread of the principal's no longer; it is as if it had never been, also for a run that is going.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            NotSharedError: It is not shared with them.
        """
        who = current_principal(self._principal)
        self._run(sharing.unshare(who.name, valid_thread_id(thread_id), with_), who)

    async def aunshare(self, thread_id: str, with_: str) -> None:
        """Async version of `unshare`."""
        who = current_principal(self._principal)
        await self._arun(sharing.unshare(who.name, valid_thread_id(thread_id), with_), who)

    def shares(self, thread_id: str | None = None) -> Sequence[Share]:
        """Return whom a thread of the principal's is shared with.

        Without one, all shares of theirs, and then the threads of others that are shared with them.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
        """
        who = current_principal(self._principal)
        named = None if thread_id is None else valid_thread_id(thread_id)
        return self._run(sharing.list_shares(who.name, named), who)

    async def ashares(self, thread_id: str | None = None) -> Sequence[Share]:
        """Async version of `shares`."""
        who = current_principal(self._principal)
        named = None if thread_id is None else valid_thread_id(thread_id)
        return await self._arun(sharing.list_shares(who.name, named), who)

    def transfer(self, thread_id: str, to: str) -> None:
        """Give a thread of the principal's away, with everything in it and its shares. Labels stay what they are.

        Where the other has a thread of that id, which is not told, it gets something behind it.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            ThreadBusyError, ThreadHeldError: A run is going in it, or it is under legal hold.
            ValueError: The name cannot be a person's, or is the principal's own.
        """
        who = current_principal(self._principal)
        self._run(self._transfer(who, thread_id, to), who)

    async def atransfer(self, thread_id: str, to: str) -> None:
        """Async version of `transfer`."""
        who = current_principal(self._principal)
        await self._arun(self._transfer(who, thread_id, to), who)

    # --- audit ------------------------------------------------------------------------------------------------

    def audit(
        self,
        *,
        thread_id: str | None = None,
        user: str | None = None,
        table: str | None = None,
        since: timedelta | None = None,
        limit: int = 1000,
    ) -> Sequence[AuditLine]:
        """Return what the audit tells of the principal's threads and acts, and an auditor of everything, newest first.

        Args:
            thread_id: Only of threads of this id.
            user: Only what this person did, or what was done with them.
            table: Only what was read from this table, or withheld because of it: `catalog.schema.table` or its end.
            since: Only the latest, so far back.
            limit: At most so many lines.
        """
        who = current_principal(self._principal)
        return self._run(auditing.lines(thread_id, user, table, since, limit), who)

    async def aaudit(
        self,
        *,
        thread_id: str | None = None,
        user: str | None = None,
        table: str | None = None,
        since: timedelta | None = None,
        limit: int = 1000,
    ) -> Sequence[AuditLine]:
        """Async version of `audit`."""
        who = current_principal(self._principal)
        return await self._arun(auditing.lines(thread_id, user, table, since, limit), who)

    def export(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a thread's latest checkpoint as `get_tuple` does; the audit tells that it was taken out."""
        who, where = self._where(config, starts=True)
        return self._run(operations.export(self._context, where), who)

    async def aexport(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async version of `export`."""
        who, where = self._where(config, starts=True)
        return await self._arun(operations.export(self._context, where), who)

    def break_glass(self, owner: str, thread_id: str, *, reason: str) -> Session:
        """Let the principal, an auditor, read anybody's thread for a minute, whole and labels aside.

        What it says is in the audit before anything can be read, by `configurable["thread_owner"]`.

        Raises:
            NotAuditorError: The principal is not a member of the auditors' role.
            ThreadNotFoundError: There is no such thread. The audit tells of the attempt.
            ValueError: There is no reason.
        """
        who = current_principal(self._principal)
        return self._run(auditing.break_glass(valid_owner(owner) or who.name, valid_thread_id(thread_id), reason), who)

    async def abreak_glass(self, owner: str, thread_id: str, *, reason: str) -> Session:
        """Async version of `break_glass`."""
        who = current_principal(self._principal)
        named = valid_owner(owner) or who.name
        return await self._arun(auditing.break_glass(named, valid_thread_id(thread_id), reason), who)

    # --- inside -----------------------------------------------------------------------------------------------

    def _set_retention(self, who: Principal, thread_id: str, retention: Retention | None) -> Operation[None]:
        if retention is not None and retention.refresh_on_read and self._retention is None:
            msg = (
                "This saver's reads would not count as use. Open it, and every other one, with `retention=Retention()`."
            )
            raise ValueError(msg)
        return retaining.set_retention(who.name, valid_thread_id(thread_id), retention)

    def _transfer(self, who: Principal, thread_id: str, to: str) -> Operation[None]:
        named = valid_thread_id(thread_id)
        yield from sharing.transfer(who.name, named, to)
        self._memory.forget((who.name, named))

    def _expiry(
        self, thread_ids: Sequence[str] | None, retention: Retention | None, dry_run: bool
    ) -> tuple[Principal, Expiry]:
        who = current_principal(self._principal)
        named = None if thread_ids is None else list(map(valid_thread_id, thread_ids))
        return who, Expiry(who.name, retention or self._retention or FOREVER, thread_ids=named, dry_run=dry_run)
