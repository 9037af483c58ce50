"""luigid's visualiser as a person sees it, in headless Chromium, during and after a night."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.journeys.test_nights import FINAL_LOCK, held, step_done, wait_for
from tests.luigid import Luigid
from tests.site import DATE, REPOSITORY, Site

pytestmark = pytest.mark.browser

FLAGS = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
    "disable-component-update disable-sync window-size=1400,1000"
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "Chromium is not installed: sudo apt install chromium chromium-driver"
    assert driver, "its driver is not installed: sudo apt install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS.split(), f"user-data-dir={tmp_path}/profile"):
        options.add_argument(f"--{flag}")
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


def open_page(browser: webdriver.Chrome, luigid: Luigid) -> None:
    browser.get(f"http://127.0.0.1:{luigid.port}/static/visualiser/index.html")


def rows(browser: webdriver.Chrome) -> dict[str, str]:
    """The status of each task in the list, by its name; in one go, for the page redraws it."""
    cells = browser.execute_script(
        "return [...document.querySelectorAll('#taskTable tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return {row[1]: row[0] for row in cells if len(row) > 2}


def click(browser: webdriver.Chrome, task: str, button: str) -> None:
    """Click a button of a task's row, as soon as it is there."""
    script = (
        "const row = [...document.querySelectorAll('#taskTable tbody tr')]"
        ".find(row => [...row.cells].some(cell => cell.innerText.trim() === arguments[0]));"
        "const button = row && row.querySelector(arguments[1]);"
        "if (button) button.click();"
        "return Boolean(button)"
    )
    wait_for(lambda: bool(browser.execute_script(script, task, button)))


def message(browser: webdriver.Chrome, task: str) -> str:
    """What the message button of a task opens: its words and its progress."""
    click(browser, task, "button.statusMessage")
    dialog = browser.find_element(By.ID, "statusMessageModal")
    wait_for(lambda: bool(dialog.text.strip()))
    time.sleep(0.5)  # it slides in
    return dialog.text


def shot(browser: webdriver.Chrome, name: str) -> None:
    """Kept where a person can look at it."""
    folder = REPOSITORY / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(folder / f"{name}.png"))


def shows(browser: webdriver.Chrome, expected: dict[str, str]) -> Callable[[], bool]:
    return lambda: rows(browser) == expected


def test_a_night_is_seen_while_it_runs_and_when_it_is_done(
    site: Site, luigid: Luigid, browser: webdriver.Chrome
) -> None:
    luigid.serves(site)
    with held(site, FINAL_LOCK):
        night = site.start(*site.night_command(local=False))
        wait_for(step_done(site, "LoadStaging", DATE))
        time.sleep(0.5)
        open_page(browser, luigid)
        during = {
            "CustomerAggr": "PENDING",
            "CustomerAggr.CreateFile": "DONE",
            "CustomerAggr.LoadStaging": "DONE",
            "CustomerAggr.PublishPartitions": "RUNNING",
            "CustomerAggr.DropStalePartitions": "PENDING",
        }
        wait_for(shows(browser, during))
        shot(browser, "during")
        words = message(browser, "CustomerAggr.PublishPartitions")
        assert "waiting for table/table_statistics_customer_aggr, held by the test" in words
        shot(browser, "message")
    with night:
        night.communicate(timeout=60)
    assert night.returncode == 0
    open_page(browser, luigid)
    browser.refresh()
    wait_for(shows(browser, dict.fromkeys(during, "DONE")))
    shot(browser, "after")
    words = message(browser, "CustomerAggr.PublishPartitions")
    assert "72 rows" in words
    assert "100%" in words


def test_a_failed_step_shows_its_error(
    site: Site, luigid: Luigid, browser: webdriver.Chrome
) -> None:
    luigid.serves(site)
    site.write_list("2021-05-01")
    site.night(local=False).expect(30)
    open_page(browser, luigid)
    wait_for(lambda: rows(browser).get("CustomerAggr.CreateFile") == "FAILED")
    click(browser, "CustomerAggr.CreateFile", "button.showError, button[title*='rror']")
    dialog = browser.find_element(By.ID, "errorModal")
    wait_for(lambda: "has no partition 2021-05-01" in dialog.text)
    assert "most recent call last" not in dialog.text
    shot(browser, "failed")
