"""The record of a run on disk.

`record` is the entry; `schema` names files, keys and states; `manifest` and `row_integrity` detect
corruption; `config_validation`, `metadata_validation` and `row_validation` refuse invalid values.
"""
