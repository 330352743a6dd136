"""Errors that a user can cause and mend."""


class UserError(Exception):
    """What the user gave cannot be used.

    The message is one sentence that says what is wrong, where, and what to do. Whoever catches it
    shows the message and no traceback.
    """
