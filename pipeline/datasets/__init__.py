"""Data sets of the papers: their folders read, each by the conventions of its own loader, and written as what a person gives.

May import: runtime, formats, geometry, truth.
May be imported by: stages only.
"""
