"""Reading our own texts line by line: what the readers of programs share."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.types import TensorType

T = TypeVar("T")
STRING = r'"(?:[^"\\]|\\.)*"'
TYPE = r"\w+\[[\d,]*\]"
_PORT = re.compile(rf"(input|output) ({STRING}) ({TYPE})")
_FAULTS = (ValueError, KeyError, TypeError, SyntaxError, VerificationError)


class Lines:
    """The lines of a program's text, taken one by one; `at` is the number of the last one taken."""

    def __init__(self, text: str) -> None:
        self.lines = text.rstrip("\n").split("\n")
        self.at = 0

    def more(self) -> bool:
        """Whether a line is left."""
        return self.at < len(self.lines)

    @property
    def line(self) -> str:
        """The next line, not yet taken; raises VerificationError at the end of the text."""
        if not self.more():
            raise VerificationError(f"program, line {self.at}: the text ends too early")
        return self.lines[self.at]

    def starts(self, *words: str) -> bool:
        """Whether a line is left and begins with one of `words`."""
        return self.more() and self.line.startswith(words)

    def take(self, parse: Callable[[str], T]) -> T:
        """The next line, parsed; raises VerificationError with its number where `parse` finds a fault."""
        line = self.line
        self.at += 1
        try:
            return parse(line)
        except _FAULTS as error:
            raise VerificationError(f"program, line {self.at}: {error}") from error

    def match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The next line, matched whole; raises VerificationError with its number."""
        return self.take(lambda line: matched(pattern, line))


def matched(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    """`line` matched whole; raises ValueError."""
    found = pattern.fullmatch(line)
    if found is None:
        raise ValueError(f"cannot read {line!r}")
    return found


def check_version(found: str, version: int) -> None:
    """Raises ValueError for a text of another version than this wsc reads."""
    if int(found) != version:
        raise ValueError(f"version {found}, this wsc reads version {version}")


def parse_port(line: str) -> tuple[str, tuple[str, TensorType]]:
    """ "input" or "output", with a name and a type; raises ValueError."""
    m = matched(_PORT, line)
    return m[1], (json.loads(m[2]), TensorType.parse(m[3]))


def parse_call(line: str) -> tuple[str, dict[str, Any]]:
    """The name and the values of `name(a=1, b='c')`; raises ValueError or SyntaxError."""
    call = ast.parse(line, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError(f"cannot read {line!r}")
    return call.func.id, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
