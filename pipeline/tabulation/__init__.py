"""The table of a benchmark: what its runs were judged by, means and spreads, and its page.

May import: runtime, formats, reporting.
May be imported by: stages only.
"""
