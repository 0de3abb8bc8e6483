"""One module a layout, picked by its name: `read(path, config)` gives an ImportedScene (pipeline/datasets/imported_scene.py)."""
