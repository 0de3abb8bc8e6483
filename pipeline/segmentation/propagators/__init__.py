"""Video models that masks can follow: one module each, taken by its name in `segment_objects.propagator`.

What such a module has is written down in segmentation/video_model.py.
"""
