"""One module a format: `write(folder, video)` writes a PosedVideo (pipeline/datasets/posed_video.py)."""
