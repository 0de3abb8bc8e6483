"""Semantic Flow: a dynamic radiance field whose semantics come from the features met along flows."""
