"""Errors that a person can act on: the thing, the value, the way out."""


class StageError(Exception):
    """Bad input to a stage; printed as one line, without a traceback, with exit code 1."""
