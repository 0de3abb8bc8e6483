"""OSN's networks, losses and rendering in tensors: a field for each object, and the network that scores scales.

May import: ops.
May be imported by: baselines, pipeline.osn, pipeline.baselines.
"""
