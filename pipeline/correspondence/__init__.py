"""Which pixel of one frame is which of another: flow backends, flow followed over many frames, registered patches.

May import: runtime, formats; models.raft.
May be imported by: segmentation, sfm, refinement, semantic_flow.
"""
