"""Which object every pixel shows: backends that find masks, and what follows, refines and judges them.

May import: runtime, correspondence; models.sam.
May be imported by: refinement.
"""
