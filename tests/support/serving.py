"""An OpenAI-compatible server in this process, answering by a function."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from gadfly.models.load import load_backend
from gadfly.protocols import Closing, Model

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def asking(handler: Handler, options: str = "") -> AsyncGenerator[Model]:
    """A model whose server answers by `handler`."""

    async def route(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_post("/v1/{route:.*}", route)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    model = load_backend(f"openai:m@http://127.0.0.1:{port}/v1{options}")
    try:
        yield model
    finally:
        assert isinstance(model, Closing)
        await model.close()
        await runner.cleanup()
