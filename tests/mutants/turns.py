"""What keeps the turns of a session whole, and answers each question once; and how each is taken away."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CONVERSATION = "agent/conversation.py"
INCOMING = "agent/responses/incoming.py"
READS = "tests/integration/test_turn_reads.py"
FAILED = "tests/integration/test_failed_turns.py"
APPROVED = "tests/integration/test_approvals.py"
KILLED = "tests/chaos/test_killed_in_a_tool_call.py"
STOPPED = "tests/chaos/test_stopped_by_the_person.py"
ENDS = "tests/serving/test_server_ends.py"
PAGES = "tests/serving/test_server_pages.py"
PAYLOADS = "tests/serving/test_server_payloads.py"

TURNS = [
    Mutant(
        "a question that is stored alone is known",
        CONVERSATION,
        "        return [*messages_in(state), *self._begun(state)]\n",
        "        return messages_in(state)\n",
        (f"{ENDS}::test_what_got_no_further_than_its_question_is_answered_once",),
    ),
    Mutant(
        "a turn that is stopped keeps its question",
        CONVERSATION,
        '{"messages": [*self._begun(state), *finished,',
        '{"messages": [*finished,',
        (f"{ENDS}::test_what_got_no_further_than_its_question_keeps_that_when_it_is_stopped",),
    ),
    Mutant(
        "only a turn that has just begun is read again",
        CONVERSATION,
        "        if START not in state.next:\n            return []\n",
        "",
        (f"{READS}::test_a_request_looks_at_its_session_before_it_waits_for_it",),
    ),
    Mutant(
        "a turn without its lease says that it lost it",
        CONVERSATION,
        "                if run.lost and not self.stopping:\n",
        "                if False:\n",
        (f"{ENDS}::test_another_replica_stops_a_turn",),
    ),
    Mutant(
        "another question closes what waits",
        CONVERSATION,
        "            if waiting_at(state):\n",
        "            if False:\n",
        (f"{APPROVED}::test_another_question_closes_what_waits",),
    ),
    Mutant(
        "results that are stored are kept when a turn is stopped",
        CONVERSATION,
        '            finished = [m for task in state.tasks for m in (task.result or {}).get("messages", [])]\n',
        "            finished: list[AnyMessage] = []\n",
        (f"{KILLED}::test_a_finished_call_is_not_run_again", STOPPED),
    ),
    Mutant(
        "a turn that fails is closed",
        CONVERSATION,
        "            self._close(run, _FAILED)\n",
        "",
        (f"{FAILED}::test_a_model_that_fails_is_told_and_the_next_question_is_answered",),
    ),
    Mutant(
        "a title that somebody gave stays",
        CONVERSATION,
        "if_untitled=True",
        "if_untitled=False",
        (f"{PAGES}::test_what_is_done_to_a_session_while_its_first_turn_runs_stays",),
    ),
    Mutant(
        "a call is decided about in one way",
        INCOMING,
        '        if found.setdefault(call, bool(item["approve"])) != bool(item["approve"]):\n',
        '        found[call] = bool(item["approve"])\n        if False:\n',
        (f"{PAYLOADS}::test_what_cannot_be_understood_is_told_as_such",),
    ),
    Mutant(
        "what an owner alone may do is not done to another's session",
        "agent/server/sessions.py",
        "        if _other(owner, who) is not None:\n",
        "        if False:\n",
        (f"{PAGES}::test_what_an_owner_alone_may_do_is_not_done_to_a_session_of_ones_own_of_that_name",),
    ),
]
