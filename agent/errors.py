"""Errors that a person can act on."""

from __future__ import annotations


class MooringError(Exception):
    """What happened, and what to do next; the command line prints it as one line."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}: {self.remedy}"


class TurnError(MooringError):
    """The model or a tool failed in the middle of a turn, by no fault of the question's or of the session's."""


class CallerError(MooringError):
    """It is not proven who is calling."""


class ScopeError(CallerError):
    """The caller is known, and their login was not given a scope that is needed."""
