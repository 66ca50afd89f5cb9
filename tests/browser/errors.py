"""The clean training errors of the runs that the browser shows, in percent, by family and depth."""

ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 32: [8.0, 11.0, 7.0], 56: [51.0, 90.0, 50.0]},
    "residual": {20: [0.9, 0.7, 0.8], 32: [0.6, 0.6, 0.6], 56: [0.0, 0.5, 0.4]},
}
