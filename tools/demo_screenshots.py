"""The pictures of the demo in docs/images: ``python tools/demo_screenshots.py`` makes them anew.

Needs the extra ``dev``, Chromium and its driver.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDTH = 1000


def main() -> int:
    """Start the demo on a directory of its own, and take its pictures.  Exit status 0."""
    with tempfile.TemporaryDirectory() as parent:
        command = [sys.executable, "-m", "bazanite_demo", "--port", "0", "--data", "demo-data"]
        command.append("--engine-room")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=parent) as server:
            try:
                assert server.stdout is not None
                take(server.stdout.readline().strip())
            finally:
                server.terminate()
    return 0


def take(address: str) -> None:
    """The pictures, of the pages at this address."""
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(f"{address}/projects/2")
        driver.execute_script("document.querySelector('details.how').open = true")
        shoot(driver, "demo-project.png", 1340)
        driver.get(f"{address}/engine")
        press(driver, "30 s of traffic")
        wait = WebDriverWait(driver, 60)
        wait.until(lambda _: "insert comments" in driver.find_element(By.TAG_NAME, "main").text)
        press(driver, "Kill a worker")
        wait.until(lambda _: "as the new worker" in driver.find_element(By.TAG_NAME, "main").text)
        wait.until(lambda _: "Live, told by" in driver.find_element(By.TAG_NAME, "main").text)
        shoot(driver, "demo-engine-room.png", 1500)
    finally:
        driver.quit()


def press(driver: Chrome, text: str) -> None:
    """The button that says so."""
    buttons = driver.find_elements(By.TAG_NAME, "button")
    next(button for button in buttons if button.text == text).click()


def shoot(driver: Chrome, name: str, height: int) -> None:
    """The top of the page, as wide as a page of the documentation."""
    size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.save_screenshot(str(IMAGES / name))


if __name__ == "__main__":
    sys.exit(main())
