"""A real Chromium on the real service."""

import pytest
from playwright.sync_api import sync_playwright

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def launch(chromium):
    """Starts a browser, given what is to be unlike Playwright's own."""
    with sync_playwright() as playwright:
        yield lambda **more: playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS, **more)


@pytest.fixture(scope="session")
def browser(launch):
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture
def open_page(browser, service):
    """Call it with what the context should be like, -> a page on the form. Nothing may be asked of other machines."""
    contexts, strangers = [], []

    def open_page(path="/", **more):
        context = browser.new_context(base_url=service.url, **({"locale": "en"} | more))
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: request.url.startswith(service.url) or strangers.append(request.url))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert strangers == []
