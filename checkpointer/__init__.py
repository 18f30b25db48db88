"""A LangGraph checkpointer over Postgres that the database itself guards.

from checkpointer import GovernedPostgresSaver, Principal, acting_as

GovernedPostgresSaver.migrate(admin_dsn, runtime_role="mooring_service")
with GovernedPostgresSaver.from_conn_string(runtime_dsn) as saver:
    graph = builder.compile(checkpointer=saver)
    with acting_as(Principal("alice@example.com")):
        graph.invoke(question, {"configurable": {"thread_id": "t1"}})
"""

from __future__ import annotations

from checkpointer.audit import AuditLine
from checkpointer.encryption import Keyring
from checkpointer.errors import (
    BlockedTypeError,
    CheckpointerError,
    ClearRowError,
    DatabaseUnavailableError,
    EncryptedRowError,
    EncryptionError,
    EncryptionKeyError,
    ErasureHeldError,
    FeedbackError,
    MessageNotFoundError,
    MessageWithheldError,
    NoPrincipalError,
    NotAdministratorError,
    NotAuditorError,
    NotBelievedError,
    NotOpenError,
    NotPermittedError,
    NotSharedError,
    PrincipalError,
    SchemaError,
    SealBrokenError,
    ShareError,
    SourceError,
    StaleLeaseError,
    ThreadBusyError,
    ThreadChangingError,
    ThreadDeletedError,
    ThreadExistsError,
    ThreadHeldError,
    ThreadIdError,
    ThreadNotFoundError,
    ThreadNotHeldError,
    UnrebuildableError,
    UnsafeRoleError,
    UnserializableError,
    UnstorableTextError,
    ViewerError,
    WrongThreadError,
)
from checkpointer.feedback import Feedback
from checkpointer.leases import Run
from checkpointer.policy import Retention
from checkpointer.principal import Principal, acting_as
from checkpointer.reasons import LabelReason, MessageReasons
from checkpointer.retention import Expired
from checkpointer.saver import GovernedPostgresSaver
from checkpointer.sessions import Session
from checkpointer.sharing import Share

__all__ = [
    "AuditLine",
    "BlockedTypeError",
    "CheckpointerError",
    "ClearRowError",
    "DatabaseUnavailableError",
    "EncryptedRowError",
    "EncryptionError",
    "EncryptionKeyError",
    "ErasureHeldError",
    "Expired",
    "Feedback",
    "FeedbackError",
    "GovernedPostgresSaver",
    "Keyring",
    "LabelReason",
    "MessageNotFoundError",
    "MessageReasons",
    "MessageWithheldError",
    "NoPrincipalError",
    "NotAdministratorError",
    "NotAuditorError",
    "NotBelievedError",
    "NotOpenError",
    "NotPermittedError",
    "NotSharedError",
    "Principal",
    "PrincipalError",
    "Retention",
    "Run",
    "SchemaError",
    "SealBrokenError",
    "Session",
    "Share",
    "ShareError",
    "SourceError",
    "StaleLeaseError",
    "ThreadBusyError",
    "ThreadChangingError",
    "ThreadDeletedError",
    "ThreadExistsError",
    "ThreadHeldError",
    "ThreadIdError",
    "ThreadNotFoundError",
    "ThreadNotHeldError",
    "UnrebuildableError",
    "UnsafeRoleError",
    "UnserializableError",
    "UnstorableTextError",
    "ViewerError",
    "WrongThreadError",
    "acting_as",
]
