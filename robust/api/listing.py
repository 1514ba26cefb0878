"""Every catalogue and its members, with a line each, read from source."""

from collections import Counter
from collections.abc import Collection

from robust.core import registry, signature
from robust.core.signature import Parameter

_FOOLBOX = "attacks of Foolbox, by the name of the class: foolbox:LinfDeepFoolAttack"


def text(kinds: list[str]) -> str:
    """The catalogues as plain text."""
    return "\n\n".join([*map(block, kinds), *([_FOOLBOX] if "attacks" in kinds else [])])


def block(kind: str) -> str:
    """Name, one line and the keys a suite may set, for every member; keys that most of them share are listed once."""
    members = {name: [_key(p) for p in signature.signature(kind, name)] for name in registry.names(kind)}
    usual, width = _usual(members.values()), max(map(len, members))
    lines = [kind]
    for name, keys in members.items():
        own = ", ".join(key for key in keys if key not in usual)
        lines += [f"  {name:<{width}}  {registry.summary(kind, name)}", f"  {'':<{width}}  {own}"]
    if usual:
        lines.append(f"  unless listed otherwise: {', '.join(usual)}")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _key(parameter: Parameter) -> str:
    return parameter.name if parameter.default is ... else f"{parameter.name}={parameter.default!r}"


def _usual(members: Collection[list[str]]) -> list[str]:
    """The keys with the value that most members give them, of those that every member takes.

    >>> _usual([["eps", "steps=1"], ["eps", "steps=1"], ["eps", "steps=9", "more=0"]])
    ['steps=1']
    """
    held = Counter(key for keys in members for key in keys)
    named = Counter(key.partition("=")[0] for keys in members for key in keys)
    return [k for k, n in held.items() if "=" in k and 2 * n > len(members) == named[k.partition("=")[0]]]
