"""Does degradation stay, and does the fix, where each net is trained at its own best rate?"""

from analysis.frame import Frame

LR = "config.optim.lr"


def applies(frame: Frame, keys: list[str]) -> bool:
    return keys == [LR]
