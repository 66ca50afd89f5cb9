"""torch and torchvision are checked as a pair."""

import pytest

from degradation.environment import InstallationError, check_torch_pair


def test_the_installed_pair_fits():
    check_torch_pair()


@pytest.mark.parametrize(
    ("torch", "torchvision"), [("2.14.1", "0.29.1"), ("2.14.1+cpu", "0.29.1+cpu"), ("2.15.0", "0.30.0")]
)
def test_pairs_that_fit(torch, torchvision):
    check_torch_pair(torch, torchvision)


@pytest.mark.parametrize(
    ("torch", "torchvision", "what"),
    [
        ("2.14.1", "0.28.0", "does not belong"),
        ("2.13.0", "0.29.1", "does not belong"),
        ("2.14.1+cpu", "0.29.1+cu130", "builds"),
        ("2.14.1+cpu", "0.29.1", "builds"),
        ("3.1.0", "0.16.0", "does not belong"),
    ],
)
def test_pairs_that_do_not(torch, torchvision, what):
    with pytest.raises(InstallationError, match=what):
        check_torch_pair(torch, torchvision)
