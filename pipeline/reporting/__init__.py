"""The report's words, figures, pictures and page.

May import: runtime, formats, geometry, truth, evaluation.
May be imported by: picker, live, tabulation.
"""
