"""Chromium, logged in to a test's own Airflow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.airflow_site import AirflowSite

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def logged_in(site: AirflowSite) -> Iterator[Page]:
    """A page of the UI, behind the form of the simple auth manager."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM or "chromium", args=SWITCHES)
        page = browser.new_page(viewport={"width": 1180, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(f"{site.airflow.address}/")
        page.fill('input[name="username"]', site.airflow.user)
        page.fill('input[name="password"]', site.airflow.password)
        page.click('button[type="submit"]')
        page.wait_for_url(lambda url: "login" not in url)
        yield page
        browser.close()
