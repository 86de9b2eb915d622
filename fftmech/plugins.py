"""What other installed packages register: laws, file formats, networks.

A package names them in its pyproject.toml, as entry points:

    [project.entry-points."fftmech.laws"]
    deformation_theory = "my_materials.law:DeformationTheory"

The names are known without importing the package, which is imported when one of them is
asked for.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from traceback import walk_tb
from typing import Any, Generic, TypeVar

from fftmech.errors import InputError

GROUPS = {
    "fftmech.laws": "law",
    "fftmech.formats": "file format",
    "ecosurrogate.networks": "network",
}
"""Groups of entry points, and what one of each is called."""

T = TypeVar("T")


@dataclass(frozen=True)
class Plugin:
    """One entry point of another package: `name` in `group`, from `package` `version`.

    `target` is the module, or the object in it, that is registered.
    """

    group: str
    name: str
    package: str
    version: str
    target: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    @property
    def top(self) -> str:
        """The package that Python imports."""
        return self.target.partition(":")[0].partition(".")[0]


def plugins(group: str) -> tuple[Plugin, ...]:
    """What installed packages register in a group; nothing is imported."""
    return _plugins(group, tuple(sys.path))


@lru_cache(maxsize=16)
def _plugins(group: str, path: tuple[str, ...]) -> tuple[Plugin, ...]:
    # which takes as long to import as some solves do
    from importlib import metadata

    del path  # where packages are looked for: another one has others
    found = {}
    for entry in metadata.entry_points(group=group):
        package, version = (
            (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "?")
        )
        plugin = Plugin(group, entry.name, package, version, entry.value)
        found.setdefault((entry.name, package), plugin)
    return tuple(found.values())


class Registry(Mapping[str, T], Generic[T]):
    """Things by name: our own, and those that other packages register.

    Parameters
    ----------
    group
        Of entry points.
    own
        Our own.
    made
        Returns what is registered of the name and the loaded object of an entry point,
        or raises InputError where the object is no such thing.
    """

    def __init__(
        self, group: str, own: Mapping[str, T], made: Callable[[str, Any], T]
    ) -> None:
        self.group, self.own, self._made = group, own, made

    def __iter__(self) -> Iterator[str]:
        others = (plugin.name for plugin in plugins(self.group))
        return iter(dict.fromkeys((*self.own, *others)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        # without importing it
        return name in self.own or any(p.name == name for p in plugins(self.group))

    def __getitem__(self, name: str) -> T:
        """Return what has this name.

        Raises
        ------
        KeyError
            Nothing has.
        InputError
            Several packages have one of this name, or the only one is broken.
        """
        found = self._others(name)
        if not found:
            return self.own[name]
        kind = f"{GROUPS[self.group]} {name!r}"
        if name in self.own or len(found) > 1:
            owners = [*["fftmech"] * (name in self.own), *map(str, found)]
            raise InputError(
                f"{kind} is registered by {' and by '.join(owners)}",
                mend=f"uninstall {found[-1].package}, or rename its entry point",
            )
        (plugin,) = found
        from importlib.metadata import EntryPoint

        entry = EntryPoint(name, plugin.target, self.group)
        try:
            return self._made(name, entry.load())
        except (Exception, SystemExit) as error:
            reason = error if isinstance(error, InputError) else _reason(error)
            raise InputError(
                f"{kind} of the package {plugin} cannot be used ({reason})",
                mend=f"repair {plugin.package}, or uninstall it",
            ) from error

    def find(self, name: str, where: str = "", package: str | None = None) -> T:
        """As `[]`; an unknown name is an InputError of what is `where`.

        `package` is the one that it came from, by the file that names it.
        """
        if name in self:
            return self[name]
        kind = f"{where}{': ' * bool(where)}{GROUPS[self.group]} {name!r}"
        if package is not None:
            raise InputError(
                f"{kind} is of the package {package}, which is not installed",
                mend=f"pip install {package.partition(' ')[0]}",
            )
        raise InputError(kind, f"one of {', '.join(self)}")

    def package(self, name: str) -> str | None:
        """Name and version of the package that registers a name; None if it is ours."""
        return next(map(str, self._others(name)), None)

    def _others(self, name: str) -> list[Plugin]:
        return [plugin for plugin in plugins(self.group) if plugin.name == name]


def failed(error: BaseException) -> str | None:
    """One line on an error that another package's code raised; None if none did."""
    for frame, line in reversed(list(walk_tb(error.__traceback__))):
        module = frame.f_globals.get("__name__", "")
        for plugin in (each for group in GROUPS for each in plugins(group)):
            if module.partition(".")[0] == plugin.top:
                return f"the package {plugin} failed in {module}, line {line}: " + (
                    _reason(error)
                )
    return None


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
