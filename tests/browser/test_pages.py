import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import PATIENCE_MS
from tests.helpers import SAMPLES

CAT, CROSSING, DOOR = (SAMPLES / f"{name}.jpg" for name in ("chelsea", "zebra_crossing", "door"))
WIDTHS = (320, 768, 1280)
PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="session")
def answer_path(browser, service):
    """The page of an answer, asked for once without JavaScript."""
    context = browser.new_context(base_url=service.url, java_script_enabled=False, locale="en")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto("/")
    page.set_input_files("#image", CAT)
    page.get_by_role("button", name="What is ahead of me?").click()
    page.wait_for_url("**/photos/**")
    yield page.url.removeprefix(service.url)
    context.close()


def complaints(page) -> list[str]:
    """What axe finds, controls smaller than 24 pixels, and whether the page is wider than the screen."""
    found = [f"{v['id']}: {v['nodes'][0]['html']}" for v in Axe().run(page, options=AXE).response["violations"]]
    found += page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, textarea, audio")].filter(e => e.checkVisibility()
            && !e.matches(".skip")).filter(e => {
                const box = (e.closest("label") || e).getBoundingClientRect();
                return (box.width < 24 || box.height < 24) && !e.closest("p, td, li");
            }).map(e => "too small: " + e.outerHTML)"""
    )
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("wider than the screen")
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_is_accessible(open_page, answer_path, width, scheme):
    page = open_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert complaints(page) == []
    for path in (
        answer_path,
        "/?lang=id",
        "/api/docs",
        "/nothing",
        "/library",
        "/library?deleted=1",
        "/library/delete",
    ):
        page.goto(path)
        assert complaints(page) == [], path


@pytest.mark.parametrize("width", WIDTHS)
def test_without_javascript_the_answer_is_a_page_whose_heading_has_the_focus(open_page, answer_path, width):
    page = open_page(answer_path, viewport={"width": width, "height": 800}, java_script_enabled=False)
    assert page.locator("h1:focus").inner_text()
    assert page.get_by_role("img").get_attribute("alt")
    page.get_by_role("link", name="Describe another photo").click()
    page.get_by_role("button", name="Describe the photo").click()
    assert page.locator("[role=alert]:focus").inner_text() == (
        "No photo was chosen; choose a photo or take one, then ask again."
    )
    assert page.get_by_label("Choose a photo").is_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_with_javascript_the_answer_is_said_politely_on_the_same_page(open_page, width):
    page = open_page(viewport={"width": width, "height": 800})
    page.evaluate(
        """() => {
            const status = document.querySelector("[role=status]");
            window.said = [];
            new MutationObserver(() => said.push(status.innerText)).observe(status, {childList: true, subtree: true});
        }"""
    )
    page.set_input_files("#image", CAT)
    button = page.get_by_role("button", name="Describe the photo")
    button.click()
    page.wait_for_selector("#result img")
    heading = page.locator("[role=status] h2").inner_text()
    assert page.evaluate("said") == ["Describing the photo…", heading]
    assert page.evaluate("document.activeElement.innerText") == "Describe the photo"  # nothing stole the focus
    assert page.url.endswith("/")
    assert page.locator("[role=status], [role=alert], [aria-live]").count() == 1
    assert page.locator("audio").evaluate("player => player.paused && player.controls")
    page.wait_for_function("document.querySelector('#result img').naturalWidth > 0")  # it is there, and may be shown
    page.wait_for_function("document.querySelector('audio').duration > 0.3")
    assert complaints(page) == []


def test_the_care_that_a_guide_wants_is_said_with_it(open_page):
    page = open_page()
    page.set_input_files("#image", DOOR)
    page.get_by_role("button", name="What is ahead of me?").click()
    page.get_by_role("status").get_by_text("Do not rely on it alone to walk or to cross.").wait_for()
    assert page.get_by_text("Do not rely on it alone").count() == 1
    assert complaints(page) == []


def test_who_asks_again_too_early_is_told_to_wait(open_page):
    page = open_page()
    waiting = []
    page.route(
        "**/?lang=en", lambda route: waiting.append(route) if route.request.method == "POST" else route.fallback()
    )
    page.set_input_files("#image", CAT)
    page.get_by_role("button", name="Describe the photo").click()
    page.get_by_role("status").get_by_text("Describing the photo…").wait_for()
    guide = page.get_by_role("button", name="What is ahead of me?")
    assert guide.get_attribute("aria-disabled") == "true"
    guide.press("Enter")
    page.get_by_role("status").get_by_text("Still describing the photo; please wait.").wait_for()
    (route,) = waiting
    route.continue_()
    page.wait_for_selector("#result img")
    assert guide.get_attribute("aria-disabled") == "false"


def test_what_was_deleted_does_not_come_back_by_going_back(launch, service):
    """In a browser that keeps pages to go back to, as people's do."""
    browser = launch(ignore_default_args=["--disable-back-forward-cache"])
    page = browser.new_page(base_url=service.url, locale="en")
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/")
    page.set_input_files("#image", CAT)
    page.get_by_role("button", name="Describe the photo").click()
    page.wait_for_selector("#result img")
    page.get_by_role("link", name="Your photos").click()
    page.locator(".photos a").click()
    page.get_by_role("link", name="Delete this photo").click()
    page.get_by_role("button", name="Yes, delete").click()
    page.get_by_role("status").get_by_text("Deleted.").wait_for()
    for _ in range(4):
        page.go_back()
        page.wait_for_load_state()
        assert page.locator("img").count() == 0
    browser.close()


@pytest.mark.parametrize("path", ["/", "/library", "/api/docs"])
def test_twice_as_large_letters_fit_a_small_phone(open_page, path):
    page = open_page(path, viewport={"width": 320, "height": 640})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert complaints(page) == []


def test_with_javascript_errors_are_said_in_the_same_place(open_page):
    page = open_page()
    page.get_by_role("button", name="Describe the photo").click()
    said = page.get_by_role("status")
    said.get_by_text("No photo was chosen; choose a photo or take one, then ask again.").wait_for()
    page.set_input_files("#image", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"text"})
    page.get_by_role("button", name="What is ahead of me?").click()
    said.get_by_text("This is text; send the photo as JPEG").wait_for()
    page.set_input_files("#image", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": bytes(2**25)})
    page.get_by_role("button", name="Describe the photo").click()
    said.get_by_text("The photo is larger than 16 MB; send a smaller copy of it.").wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Describe the photo").click()
    said.get_by_text("Sightline could not be reached").wait_for()
    assert complaints(page) == []


@pytest.mark.parametrize("javascript", [True, False])
def test_all_of_it_works_by_keyboard(open_page, javascript):
    page = open_page(java_script_enabled=javascript)

    def tab_to(name):
        for _ in range(30):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            if focused.count() and name in (focused.inner_text() or ""):
                outline = focused.evaluate("e => getComputedStyle(e).outlineStyle + getComputedStyle(e).outlineWidth")
                assert outline == "solid3px"
                return
        pytest.fail(f"Tab never comes to {name}")

    tab_to("Skip to content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator("#image:focus").count() == 1
    page.set_input_files("#image", CAT)
    tab_to("What is ahead of me?")
    page.keyboard.press("Enter")
    page.wait_for_selector("img")
    tab_to("Delete this photo")
    page.keyboard.press("Enter")
    tab_to("Yes, delete")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Deleted.").wait_for()


def test_a_photo_is_found_edited_and_deleted_again_without_javascript(open_page):
    page = open_page(java_script_enabled=False)
    for path in (CAT, CROSSING):
        page.goto("/")
        page.set_input_files("#image", path)
        page.get_by_role("button", name="Describe the photo").click()
        page.wait_for_url("**/photos/**")
    page.get_by_label("Say it in your own words").fill("The crossing by the old library.")
    page.get_by_role("button", name="Save these words").click()
    page.get_by_role("status").get_by_text("Saved.").wait_for()
    page.get_by_role("link", name="Your photos").click()
    assert photos_on(page) == 2
    page.get_by_label("What does the photo show?").fill("a cat")
    page.get_by_role("button", name="Find photos").click()
    assert page.locator("h2:focus").inner_text() == "Best matches for “a cat”"
    page.get_by_label("What does the photo show?").fill("old library")
    page.get_by_role("button", name="Find photos").click()
    assert page.get_by_text("says “old”, “library”").count() == 1
    page.get_by_role("link", name="The crossing by the old library.").click()
    page.get_by_role("link", name="Delete this photo and its description").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Delete this photo and its description?"
    page.get_by_role("button", name="Yes, delete").click()
    assert page.locator("[role=status]:focus").inner_text() == "Deleted."
    assert photos_on(page) == 1


def photos_on(page) -> int:
    return page.get_by_role("listitem").filter(has=page.locator("img")).count()


def test_the_pages_of_the_library_fit_and_are_accessible(open_page):
    page = open_page()
    for path in (CAT, CROSSING):
        page.set_input_files("#image", path)
        page.get_by_role("button", name="Describe the photo").click()
        page.wait_for_selector("#result img")
        page.goto("/")
    page.goto("/library?q=a+cat")
    photo = page.locator(".photos a").first.get_attribute("href")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for path in (
            "/library",
            "/library?q=a+cat",
            "/library?q=quarterly+report",
            photo,
            photo.replace("?", "/delete?"),
        ):
            page.goto(path)
            assert complaints(page) == [], path


def test_a_phone_offers_its_camera_and_the_last_choice_counts(open_page):
    assert not open_page().locator("#camera").is_visible()  # there it would be the same picker twice
    page = open_page(**PHONE)
    page.get_by_label("Or take a photo with the camera").set_input_files(CAT)
    page.get_by_label("Choose a photo").set_input_files(CAT)
    values = page.evaluate("['image', 'camera'].map(id => document.getElementById(id).files.length)")
    assert values == [1, 0]
    assert complaints(page) == []


def test_an_indonesian_page_with_an_english_answer_says_which_is_which(open_page):
    page = open_page("/?lang=id", java_script_enabled=False)
    page.set_input_files("#image", CAT)
    page.get_by_label("English").check()
    page.get_by_role("button", name="Jelaskan foto ini").click()
    page.wait_for_url("**/photos/*?lang=id")
    assert page.locator("html").get_attribute("lang") == "id"
    assert page.locator("h1 [lang=en]").inner_text()
    assert page.get_by_role("img", name="Foto yang dijelaskan").is_visible()
    assert page.get_by_role("link", name="Jelaskan foto lain").is_visible()
