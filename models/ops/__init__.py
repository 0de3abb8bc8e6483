"""Operators that more than one method is made of, and how they are spread over cores.

May import: nothing of ours.
May be imported by: everything.
"""
