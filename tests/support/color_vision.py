"""How colour-blind people see colours, and how different two colours look.

The simulation is that of Machado, Oliveira and Fernandes (2009), a physiologically-based model for
simulation of colour vision deficiency, for its greatest severity.
"""

import numpy as np
from matplotlib.colors import to_rgb

# Linear RGB as seen with a missing kind of cone (Machado et al. 2009, table 1, severity 1.0)
MACHADO = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def simulate(color, deficiency):
    """Return linear red, green and blue of a matplotlib colour, as it is seen."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if deficiency is None:
        return linear
    return (np.array(MACHADO[deficiency]) @ linear).clip(0, 1)


def to_lab(linear):
    """Return CIELAB (D65) of linear red, green and blue."""
    relative = TO_XYZ @ linear / (TO_XYZ @ np.ones(3))
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(first, second, deficiency=None):
    """Return how different two colours look: their distance in CIELAB; 2.3 is just noticeable."""
    colors = [to_lab(simulate(color, deficiency)) for color in (first, second)]
    return float(np.linalg.norm(colors[0] - colors[1]))
