"""Errors of pyhost's own: configuration errors with their place, and what the command line reports."""
from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ConfigError", "ConfigErrors", "ControlError", "PyhostError"]


class PyhostError(Exception):
    """Base of the errors that pyhost raises itself."""


class ConfigError(PyhostError):
    """One fault of a configuration: `file:line: Directive: what was expected`.

    file: as the user wrote it, or where a command line option put it; line: from 1, 0 where there is none;
    directive: the name as written, "" for a fault of the file as a whole.
    """

    def __init__(self, file: str, line: int, directive: str, expected: str) -> None:
        super().__init__(file, line, directive, expected)
        self.file, self.line, self.directive, self.expected = file, line, directive, expected

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.directive}: {self.expected}" if self.directive else f"{place}: {self.expected}"


class ConfigErrors(PyhostError):
    """All faults of one configuration, in the order of the file; `str()` has one line for each."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__(*errors)
        self.errors = list(errors)

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))


class ControlError(PyhostError):
    """A command to a running server that could not be carried out; the message says why."""
