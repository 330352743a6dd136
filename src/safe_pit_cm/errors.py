"""Errors that a user can cause and correct."""


class UserError(Exception):
    """Input of the user that cannot be used.

    The message is one sentence that states what is wrong, where, and what to do. It is shown without a traceback.
    """


class DivergenceError(UserError):
    """A loss is not finite: a fit or a training left the range of floating-point numbers."""
