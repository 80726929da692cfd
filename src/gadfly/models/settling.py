"""From an engine's thread to the coroutine that waits for its answer."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


def settle(future: "asyncio.Future[T]", result: T | Exception) -> bool:
    """Give a waiting future its result or error, from any thread; False where its loop is closed.

    A future that was cancelled meanwhile is left as it is.
    """

    def tell() -> None:
        if future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    try:
        future.get_loop().call_soon_threadsafe(tell)
    except RuntimeError:  # closed, perhaps just now
        return False
    return True
