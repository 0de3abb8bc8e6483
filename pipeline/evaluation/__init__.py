"""Numbers: every stage's output judged by truth or by the video itself.

May import: runtime, formats, geometry, truth, rendering; models.ops.
May be imported by: reporting.
"""
