"""Stages (verbs) and the nouns they share; every stage runs as `python -m pipeline.STAGE`."""
