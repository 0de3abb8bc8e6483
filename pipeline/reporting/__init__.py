"""The report's words, figures, pictures and page.

May import: formats, geometry, truth, evaluation.
May be imported by: picker.
"""
