"""A protection that is taken away: a text of one file becomes another.

To add one: name it by what is missing, copy the text from the file (it must be there exactly once), and name the tests
that have to fail without it. tests/unit/test_mutants.py tells when a text or a test is no longer there.
"""

from __future__ import annotations

from dataclasses import dataclass

INITIAL = "checkpointer/sql/migrations/0001_initial.sql"
FUNCTIONS = "checkpointer/sql/migrations/0004_functions.sql"
RETENTION = "checkpointer/sql/migrations/0005_retention.sql"
LABELS = "checkpointer/sql/migrations/0003_labels.sql"
SHARING = "checkpointer/sql/migrations/0006_sharing.sql"
AUDIT = "checkpointer/sql/migrations/0007_audit.sql"
TRANSCRIPTS = "checkpointer/sql/migrations/0008_transcripts.sql"
FEEDBACK = "checkpointer/sql/migrations/0009_feedback.sql"
RULES = "checkpointer/sql/migrations/0010_rules.sql"
QUERIES = "checkpointer/sql/queries.sql"

ISOLATION = "tests/security/test_isolation.py"
OPENING = "tests/integration/test_saver_opening.py"
ORDERING = "tests/integration/test_ordering.py"
DELTA = "tests/integration/test_delta_channel.py"
SAVER = "tests/integration/test_saver.py"
LEASES = "tests/integration/test_leases.py"
LOST = "tests/chaos/test_lost_connections.py"
CANCELLED = "tests/chaos/test_cancelled.py"
HOLDS = "tests/security/test_legal_holds.py"
DELETED = "tests/integration/test_deleted_threads.py"
KEPT = "tests/integration/test_retention.py"
SHARED = "tests/security/sharing"
AUDITED = "tests/security/test_audit.py"
SHOWN = "tests/integration/test_transcripts.py"
ERASED = "tests/security/test_erasure.py"
CHATS = "tests/integration/test_chat_views.py"
SEEN = "tests/security/test_transcript_views.py"
CONTRACT = "tests/differential/test_contract.py"
TOGETHER = "tests/integration/test_stored_together.py"
BEHIND = "tests/security/test_behind_views.py"
SEALED = "tests/security/test_encryption.py"
RESEALED = "tests/security/test_encrypting_what_is_there.py"
KEYS = "tests/unit/test_keyring.py"
CROSSING = "tests/security/test_crossing.py"
REVOKED = "tests/security/test_revocation.py"
RULED = "tests/security/test_functions_in_rules.py"
RATED = "tests/security/test_feedback.py"


@dataclass(frozen=True)
class Mutant:
    """A protection that is missing, and the tests that notice."""

    name: str
    file: str
    text: str
    becomes: str
    tests: tuple[str, ...]
