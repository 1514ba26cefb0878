"""One signature for a family: its members take the arguments of the first of them."""

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Made = TypeVar("Made")


def arguments_of(first: Callable[P, Made], **defaults: object) -> Callable[[Callable[..., Made]], Callable[P, Made]]:
    """Decorates a member of a family: it takes the arguments of `first`, and is given all of them.

    Python, `help` and type checkers see the signature of `first`; `robust.core.signature` reads it from source, so
    `first` must be given by the name under which it is defined, and the defaults must be literals.

    Args:
        first: the function whose signature lists the arguments.
        defaults: those that differ from the defaults of `first`.

    Raises KeyError for a default of an argument that `first` does not have.

    >>> def resnet20(*, classes=10, width=1.0):
    ...     return 20, classes, width
    >>> @arguments_of(resnet20, classes=100)
    ... def resnet32(**options):
    ...     return 32, options
    >>> resnet32(width=0.5)
    (32, {'classes': 100, 'width': 0.5})
    >>> inspect.signature(resnet32)
    <Signature (*, classes=100, width=1.0)>
    """
    own = inspect.signature(first).parameters
    changed = {name: own[name].replace(default=default) for name, default in defaults.items()}

    def decorate(function: Callable[..., Made]) -> Callable[P, Made]:
        signature = inspect.signature(function).replace(parameters=[*{**own, **changed}.values()])

        @functools.wraps(function)
        def member(*args: P.args, **options: P.kwargs) -> Made:
            given = signature.bind(*args, **options)
            given.apply_defaults()
            return function(*given.args, **given.kwargs)

        member.__annotations__ = {**first.__annotations__, **function.__annotations__}
        vars(member)["__signature__"] = signature
        return member

    return decorate
