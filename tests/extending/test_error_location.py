"""A failure in a user's own file is located there."""

import pytest

from degradation.external_code import MODULE_PREFIX, locate_error

SOURCE = "def outer(call):\n    inner(call)\n\ndef inner(call):\n    call()\n"


def fail():
    raise RuntimeError("wrong shape")


@pytest.mark.parametrize(
    ("module", "place"), [(f"{MODULE_PREFIX}x", "my_blocks.py, line 5"), ("torch.nn", None)]
)
def test_last_line_of_the_users_file_is_named(module, place):
    names = {"__name__": module}
    exec(compile(SOURCE, "folder/my_blocks.py", "exec"), names)
    with pytest.raises(RuntimeError) as caught:
        names["outer"](fail)
    assert locate_error(caught.value) == place
