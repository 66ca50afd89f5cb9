"""The sizes of the windows in which the page is tested, in CSS pixels."""

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
