"""What can go wrong because of something a user gave us.

Every error a user can cause derives from `AlphaPipelineError`; the command line turns it into one line on
stderr and exit code 2. Anything else that is raised is a defect of ours and keeps its traceback.

    AlphaPipelineError
    ├── BadInput            a file, an option, a setting
    └── ExpressionError     text that is not a valid expression (alpha_pipeline.expression.errors)
"""

from __future__ import annotations

from typing import Any


class AlphaPipelineError(Exception):
    """Base of all errors that a user can cause and mend."""

    def picture(self) -> str:
        """What shows the place of the fault, in lines below the message; empty where there is nothing to show."""
        return ""


class BadInput(AlphaPipelineError):
    """Input that cannot be used.

    Args:
        what: what is wrong, as a short clause ("the file has no column 'close'").
        where: the file, row, option or setting it was found in.
        mend: what the user can do about it.
    """

    def __init__(self, what: str, where: str, mend: str) -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(" ".join(f"{where}: {what}; {mend}".split()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Made again from its parts: an error in a worker process is raised in the one that waits for it."""
        return type(self), (self.what, self.where, self.mend), self.__dict__
