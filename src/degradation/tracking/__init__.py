"""W&B as a copy of the records.

`mirror` sends rows during training, `sync` what is missing afterwards; `pull` writes records again.
"""
