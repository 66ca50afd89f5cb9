"""Hydra's basic sweeper, for command lines whose every job was checked before the sweep."""
