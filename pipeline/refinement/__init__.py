"""The second pass of masks: what the known camera and the objects' own models say of every pixel.

May import: runtime, formats, correspondence, segmentation, sfm.
May be imported by: stages only.
"""
