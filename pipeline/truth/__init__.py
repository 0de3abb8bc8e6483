"""The exact truth of a scene: its file, what follows from it, and how an estimate is aligned to it. For judging only.

May import: runtime, formats, geometry.
May be imported by: rendering, evaluation, reporting, datasets.
"""
