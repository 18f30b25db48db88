"""What keeps evaluations honest and notebooks harmless; and how each is taken away."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SHOWING = "agent/notebook/showing.py"
HARVEST = "agent/evaluation/harvest.py"
SCORING = "agent/evaluation/scoring.py"

MARKUP = "tests/notebooks/test_showing.py::test_nothing_of_a_conversation_becomes_markup"
HARVESTED = "tests/evaluation/test_harvest.py"
REPLAYED = "tests/evaluation/test_replay.py"
GATE = "tests/evaluation/test_gate.py"

EVALUATION = [
    # --- what a notebook shows ----------------------------------------------------------------------------------------
    Mutant("answers are no HTML", SHOWING, '{"html": False}', '{"html": True}', (MARKUP,)),
    Mutant("answers load nothing", SHOWING, '.disable(["link", "image", "autolink", "reference"])', "", (MARKUP,)),
    Mutant(
        "values of tables are text",
        "agent/notebook/listing.py",
        "<td>{escape(_text(value))}</td>",
        "<td>{_text(value)}</td>",
        (MARKUP,),
    ),
    # --- what leaves a session ----------------------------------------------------------------------------------------
    Mutant(
        "datasets leave out what is withheld",
        HARVEST,
        '        return "withheld"\n',
        "        pass\n",
        (f"{HARVESTED}::test_what_is_withheld_is_left_out",),
    ),
    Mutant(
        "datasets are their owner's to read",
        HARVEST,
        "0o600",
        "0o644",
        (f"{HARVESTED}::test_what_was_asked_is_asked_again",),
    ),
    Mutant(
        "datasets are exports",
        HARVEST,
        "saver.export(at)",
        "pass",
        (f"{HARVESTED}::test_what_is_taken_out_is_in_the_audit",),
    ),
    Mutant(
        "replays compare nothing that is withheld",
        "agent/replaying.py",
        " or withholding_of(last) is not None",
        "",
        (f"{REPLAYED}::test_what_is_withheld_now_is_not_compared",),
    ),
    # --- the gate -----------------------------------------------------------------------------------------------------
    Mutant(
        "the gate looks at what is said to whom",
        SCORING,
        '    "secrecy": secrecy_problems,\n',
        "",
        (f"{GATE}::test_a_broken_agent_is_caught",),
    ),
    Mutant(
        "the gate looks at what came back",
        SCORING,
        '    "resumed": resumed_problems,\n',
        "",
        (f"{GATE}::test_a_broken_agent_is_caught",),
    ),
]
