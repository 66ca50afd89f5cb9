"""What a comparison of captured with eager steps has found. Free of torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GraphComparison:
    """How a captured training compares with an eager one.

    Attributes:
        network, precision: what was trained, such as `plain-20` and `bf16`.
        problem: why steps could not be compared, in one line, or None. All else is then unknown.
        is_transient: whether the problem may be gone next time, such as too little memory.
        difference: distance of the weights after training, relative to how far training has moved
            them, of the tensor in which it is largest. 0 if they are equal.
        tolerance: the largest difference that counts as equal; 0: equal to the bit.
        is_training_equal: of the weights, the optimiser, the losses and errors while training;
            with a tolerance, of the weights and BN's statistics only.
        is_resume_equal: the same of a captured training that resumed from a checkpoint.
        is_evaluation_equal: of the errors and losses of the same weights.
        eager_memory, captured_memory: largest memory reserved on the GPU, in bytes, or None.
        eager_rate, captured_rate: training images per second.
    """

    network: str
    precision: str
    problem: str | None = None
    is_transient: bool = False
    difference: float = 0.0
    tolerance: float = 0.0
    is_training_equal: bool = False
    is_resume_equal: bool = False
    is_evaluation_equal: bool = False
    eager_memory: int | None = None
    captured_memory: int | None = None
    eager_rate: float | None = None
    captured_rate: float | None = None

    @property
    def is_equal(self) -> bool:
        """Whether captured steps can be used."""
        return self.describe_fault() is None

    def describe_fault(self) -> str | None:
        """Return why captured steps cannot be used, in one line, or None if they can."""
        if self.problem is not None:
            return self.problem
        parts = {
            "training": self.is_training_equal,
            "a resumed training": self.is_resume_equal,
            "an evaluation": self.is_evaluation_equal,
        }
        unequal = [name for name, is_equal in parts.items() if not is_equal]
        if not unequal:
            return None
        return (
            f"captured and eager steps of {self.network} in {self.precision} give different"
            f" numbers in {', '.join(unequal)}"
        )
