"""What is prescribed: of each component, the mean strain or the mean stress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.tensors import COMPONENTS, FACTORS


def checked_values(
    kind: str, given: Any, names: Sequence[str], example: str
) -> dict[str, float]:
    """Return values by component, of `names`, as finite numbers."""
    if not isinstance(given, Mapping):
        raise InputError(
            f"{kind} {given!r}",
            f'values by component, for instance {kind}={{"xx": {example}}}',
        )
    for name, value in given.items():
        if name not in names:
            raise InputError(f"{kind} component {name!r}", f"one of {', '.join(names)}")
        real = isinstance(value, Real) and not isinstance(value, bool)
        if not real or not isfinite(value):
            raise InputError(f"{kind} {name}={value!r}", "a finite number")
    return {name: float(value) for name, value in given.items()}


@dataclass(frozen=True)
class Load:
    """Mean strains and mean stresses prescribed on the periodic box.

    Components named in neither have zero mean strain.

    Parameters
    ----------
    strain, stress
        Tensor components (no Mandel factor, no engineering shear) by name, of
        xx, yy, zz, yz, xz, xy; stress in stress units.

    Raises
    ------
    InputError
        An unknown component, one in both, a value that is not finite.
    """

    strain: Mapping[str, float] = field(default_factory=dict)
    stress: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in ("strain", "stress"):
            values = checked_values(kind, getattr(self, kind), COMPONENTS, "1e-3")
            object.__setattr__(self, kind, values)
        both = [name for name in self.strain if name in self.stress]
        if both:
            raise InputError(
                f"strain {both[0]} and stress {both[0]} are both prescribed",
                "one of them",
            )

    def __str__(self) -> str:
        """The load as on the command line: --uniaxial zz=0.001."""
        uniaxial = len(self.strain) == 1 and len(self.stress) == len(COMPONENTS) - 1
        if uniaxial and not any(self.stress.values()):
            return f"--uniaxial {_assigned(self.strain)[0]}"
        options = [f"--strain {text}" for text in _assigned(self.strain)]
        options += [f"--stress {text}" for text in _assigned(self.stress)]
        return " ".join(options) or "--strain xx=0"

    @classmethod
    def uniaxial(cls, component: str, value: float) -> "Load":
        """Mean strain `value` in one component, zero mean stress in the five others."""
        others = {name: 0.0 for name in COMPONENTS if name != component}
        return cls(strain={component: value}, stress=others)

    @classmethod
    def from_mandel(cls, strain: np.ndarray) -> "Load":
        """Prescribe all six mean strains, given as a Mandel vector."""
        return cls(
            strain=dict(zip(COMPONENTS, np.asarray(strain) / FACTORS, strict=True))
        )

    def scaled(self, factor: float) -> "Load":
        """Return `factor` times this load."""
        return Load(
            strain={name: factor * value for name, value in self.strain.items()},
            stress={name: factor * value for name, value in self.stress.items()},
        )

    @property
    def free(self) -> np.ndarray:
        """Components whose mean stress is prescribed, boolean, shape (6,)."""
        return np.array([name in self.stress for name in COMPONENTS])

    @property
    def mean_strain(self) -> np.ndarray:
        """Prescribed mean strain, Mandel (6,); zero where the stress is prescribed."""
        return FACTORS * [self.strain.get(name, 0.0) for name in COMPONENTS]

    @property
    def mean_stress(self) -> np.ndarray:
        """Prescribed mean stress, Mandel (6,); zero where the strain is prescribed."""
        return FACTORS * [self.stress.get(name, 0.0) for name in COMPONENTS]


def _assigned(values: Mapping[str, float]) -> list[str]:
    return [f"{name}={value:g}" for name, value in values.items()]
