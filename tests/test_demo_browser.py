"""The demo in a real browser: every page looked at, typed into and clicked through.

Needs Chromium and its driver (Debian: chromium, chromium-driver), and is skipped without.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from demo_support import started

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)",
)
PAGES = [
    "/", "/tasks", "/tasks?status=open&sort=due", "/tasks/3", "/tasks/3/edit", "/tasks/3/delete",
    "/tasks/new", "/comments/2/edit", "/projects", "/projects/2", "/projects/new", "/users",
    "/users/1", "/users/new", "/search", "/search?q=the", "/search?q=the&in=tasks", "/engine",
]  # fmt: skip
WAIT_SECONDS = 30


@contextmanager
def browser(tmp_path: Path, *, width: int = 1200, scripts: bool = True) -> Iterator[Chrome]:
    """A new browser with a profile of its own; what it complains of on its console is an error."""
    options = Options()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
        "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        setting = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", setting)
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        _resize(driver, width)
        yield driver
        complaints = driver.get_log("browser")  # type: ignore[no-untyped-call]
        told = [one["message"] for one in complaints]
        # a conflict's status; and the stream of a worker that was killed
        assert [one for one in told if " 409 " not in one and "/engine/events" not in one] == []
    finally:
        driver.quit()


def _resize(driver: Chrome, width: int, height: int = 900) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with started(tmp_path / "demo", "--workers", "3", "--engine-room") as (_, found):
        yield found


def click(driver: Chrome, text: str) -> None:
    """Follow the link, or press the button, that a person would."""
    for kind in ("a", "button"):
        found = [one for one in driver.find_elements(By.TAG_NAME, kind) if one.text == text]
        if found:
            before = driver.find_element(By.TAG_NAME, "html")
            found[0].click()
            WebDriverWait(driver, WAIT_SECONDS).until(staleness_of(before))
            return
    pytest.fail(f"{driver.current_url} has no {text!r}")


def until(driver: Chrome, reached: Callable[[Chrome], bool]) -> None:
    """Wait for it; in between the page may be replaced by the next one."""
    leaving = (NoSuchElementException, StaleElementReferenceException)
    WebDriverWait(driver, WAIT_SECONDS, ignored_exceptions=leaving).until(reached)


def fill_in(driver: Chrome, **values: str) -> None:
    for name, value in values.items():
        field = driver.find_element(By.NAME, name)
        if field.tag_name == "select":
            Select(field).select_by_visible_text(value)
        elif field.get_attribute("type") == "date":
            driver.execute_script("arguments[0].value = arguments[1]", field, value)
        else:
            field.clear()
            field.send_keys(value)


def text_of(driver: Chrome, selector: str = "main") -> str:
    return driver.find_element(By.CSS_SELECTOR, selector).text


def test_a_person_makes_finds_changes_and_deletes_everything(address: str, tmp_path: Path) -> None:
    with browser(tmp_path) as driver:
        driver.get(address)
        assert text_of(driver, "h1") == "Overview"
        click(driver, "Users")
        click(driver, "New user")
        fill_in(driver, name="Émilie du Châtelet", email="emilie@example.org", role="Manager")
        click(driver, "Save")
        assert "Saved." in text_of(driver)
        click(driver, "Projects")
        click(driver, "New project")
        fill_in(
            driver, name="Principia", owner="Émilie du Châtelet", due="2030-05-06",
            description="Translate it.\nWith notes.",
        )  # fmt: skip
        click(driver, "Save")
        assert "6 May 2030" in text_of(driver)
        click(driver, "New task")
        fill_in(
            driver, title="Book one", assignee="Émilie du Châtelet", priority="High", hours="90"
        )
        click(driver, "Save")
        assert text_of(driver, ".path") == "Principia"
        assert "90 h" in text_of(driver)
        fill_in(driver, author="Ada Lovelace", text="Is <b>vis viva</b> the square?")
        click(driver, "Add the comment")
        assert "Is <b>vis viva</b> the square?" in text_of(driver, ".comments")
        click(driver, "Edit")
        fill_in(driver, title="Book one, of the motion of bodies", status="In progress")
        click(driver, "Save")
        assert text_of(driver, "h1") == "Book one, of the motion of bodies"
        box = driver.find_element(By.ID, "q")
        box.send_keys("VIS VIVA", Keys.ENTER)
        until(driver, lambda one: "found" in text_of(one))
        assert "Comments (1)" in text_of(driver)
        click(driver, "Book one, of the motion of bodies")
        click(driver, "Delete")
        assert "1 comment on it goes with it." in text_of(driver)
        click(driver, "Delete")
        assert "There are none." in text_of(driver)
        assert "The task was deleted." in text_of(driver)


def test_two_people_edit_one_task_and_the_second_is_told(address: str, tmp_path: Path) -> None:
    with browser(tmp_path) as driver:
        driver.get(f"{address}/tasks/3/edit")
        mine = driver.current_window_handle
        driver.switch_to.new_window("tab")
        driver.get(f"{address}/tasks/3/edit")
        fill_in(driver, title="Theirs")
        click(driver, "Save")
        driver.switch_to.window(mine)
        fill_in(driver, title="Mine")
        click(driver, "Save")
        assert "Somebody saved this while you were editing" in text_of(driver)
        assert "Theirs" in text_of(driver, ".problem")
        assert driver.switch_to.active_element.get_attribute("class") == "problem"
        click(driver, "Save")
        assert text_of(driver, "h1") == "Mine"


def test_workers_are_killed_in_mid_write_and_everything_is_found_again(
    address: str, tmp_path: Path
) -> None:
    with browser(tmp_path) as driver:
        driver.get(f"{address}/tasks/new")
        fill_in(driver, title="Outlive the workers", project="Compiler")
        click(driver, "Save")
        click(driver, "Engine room")
        for number, moment in enumerate(("open", "half-logged", "logged", "half-applied"), 1):
            driver.find_element(By.CSS_SELECTOR, f"input[value={moment}]").click()
            buttons = driver.find_elements(By.TAG_NAME, "button")
            next(one for one in buttons if one.text == "Kill a worker").click()
            until(driver, _ended(f"Experiment {number}:"))
            story = text_of(driver)
            assert "SIGKILL to worker" in story
            assert "has the lock, sees that its last holder died, and repairs" in story
            none = moment in ("open", "half-logged")
            assert ("None of its five rows is" if none else "All five rows are") in story
            assert "Nothing was lost." in story
        driver.get(f"{address}/search?q=OUTLIVE")
        assert "Tasks (1)" in text_of(driver)
        driver.get(address)
        assert "10\nopen tasks" in text_of(driver)


def _ended(told: str) -> Callable[[Chrome], bool]:
    """Whether this experiment's story is there, and told to its end."""
    wanted = (told, "as the new worker", "Nothing was lost")
    return lambda driver: all(text in text_of(driver) for text in wanted)


def test_an_error_gets_the_focus_and_leads_to_its_field(address: str, tmp_path: Path) -> None:
    with browser(tmp_path) as driver:
        driver.get(f"{address}/users/new")
        fill_in(driver, name="Ada", email="nowhere")
        driver.find_element(By.NAME, "email").send_keys(Keys.ENTER)
        until(driver, lambda one: "Not saved yet" in text_of(one))
        assert driver.switch_to.active_element.get_attribute("class") == "problem"
        driver.find_element(By.LINK_TEXT, "E-mail").click()
        assert driver.switch_to.active_element.get_attribute("id") == "email"
        assert driver.find_element(By.NAME, "name").get_attribute("value") == "Ada"
        driver.get_log("browser")  # type: ignore[no-untyped-call]  # it complains of the status 422


def test_the_keyboard_reaches_the_content_first(address: str, tmp_path: Path) -> None:
    with browser(tmp_path) as driver:
        driver.get(f"{address}/tasks")
        driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
        skip = driver.switch_to.active_element
        assert skip.text == "Skip to the content"
        assert skip.is_displayed()
        skip.send_keys(Keys.ENTER)
        assert driver.switch_to.active_element.get_attribute("id") == "main"
        driver.switch_to.active_element.send_keys(Keys.TAB)
        assert driver.switch_to.active_element.text == "New task"


def test_everything_works_without_scripts(address: str, tmp_path: Path) -> None:
    with browser(tmp_path, scripts=False) as driver:
        driver.get(f"{address}/tasks/new")
        driver.find_element(By.NAME, "title").send_keys("Without a script")
        driver.find_element(By.NAME, "title").send_keys(Keys.ENTER)
        until(driver, lambda one: "Saved." in text_of(one))
        assert text_of(driver, "h1") == "Without a script"
        driver.find_element(By.CSS_SELECTOR, "details.how summary").click()
        assert "db.insert('tasks'" in text_of(driver, "details.how")


@pytest.mark.parametrize("width", [320, 1200])
def test_no_page_is_wider_than_its_window(address: str, tmp_path: Path, width: int) -> None:
    with browser(tmp_path, width=width) as driver:
        for path in PAGES:
            driver.get(address + path)
            driver.execute_script(_UNFOLD)
            assert driver.execute_script(_TOO_WIDE) == [], path


def test_a_list_can_be_sorted_on_a_telephone(address: str, tmp_path: Path) -> None:
    with browser(tmp_path, width=390) as driver:
        driver.get(f"{address}/tasks")
        click(driver, "Due")
        assert driver.current_url.endswith("?sort=due")
        assert "Due ▲" in text_of(driver, ".sorts")
        assert "Project" not in text_of(driver, ".sorts")  # by which nothing is sorted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(address: str, tmp_path: Path, scheme: str) -> None:
    with browser(tmp_path) as driver:
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
        for path in PAGES:
            driver.get(address + path)
            driver.execute_script(_UNFOLD)
            faint: list[Any] = driver.execute_script(_FAINT)
            assert faint == [], path


_UNFOLD = "for (const one of document.querySelectorAll('details')) one.open = true"

_TOO_WIDE = """
const width = document.documentElement.clientWidth;
const inside = (one) => one.closest('pre, .wide, .hidden, .list thead:not(.sorts), .skip');
return [...document.body.querySelectorAll('*')].filter(
    (one) => !inside(one) && one.getBoundingClientRect().right > width + 1
  ).map((one) => one.outerHTML.slice(0, 120))
  .concat(document.documentElement.scrollWidth > width ? ['the page'] : []);
"""

# Contrast as WCAG 2.1 defines it: at least 4.5 between a text and what lies behind it.
_FAINT = """
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const over = (top, below) => {
  const alpha = top.length > 3 ? top[3] : 1;
  return below.map((one, index) => top[index] * alpha + one * (1 - alpha));
};
const light = (color) => {
  const [r, g, b] = color.map((one) => one / 255)
    .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => element
  ? over(parts(getComputedStyle(element).backgroundColor), behind(element.parentElement))
  : [255, 255, 255];
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const ground = behind(element);
  const ink = over(parts(style.color), ground);
  const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
  const contrast = (high + 0.05) / (low + 0.05);
  if (contrast < 4.5) found.push([element.outerHTML.slice(0, 120), contrast, ink, ground]);
}
return found;
"""
