"""Takes the pictures of the runbook: what an operator sees when an import would remove too much (``make pictures``).

Starts an Airflow of its own over three invented institutions whose spreadsheets suddenly hold nothing that can be
published, half of what they held, or everything under other identifiers; Chromium (``CHROMIUM``) looks at it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.airflow_site import AirflowSite, institution, rewrite, started, titles
from tests.browser import logged_in

PICTURES = Path(__file__).parent / "pictures"
OUTPUTS = 120
CHANGES = {
    "nothing": ("Laputa Observatory", [(a, t, "none yet") for a, t, _ in titles("nothing", OUTPUTS)]),
    "half": ("Balnibarbi College", titles("half", OUTPUTS // 2)),
    "renamed": ("Glubbdubdrib School", [(a, t, f"{doi}.v2") for a, t, doi in titles("renamed", OUTPUTS)]),
}


def imported_and_changed(site: AirflowSite) -> dict[str, str]:
    """Imports each institution, changes its file, imports again; returns the runs that wait, by slug."""
    for slug in CHANGES:
        site.unpause(f"import_{slug}")
    for slug, (_name, rows) in CHANGES.items():
        dag = f"import_{slug}"
        site.wait(lambda dag=dag: site.runs(dag), f"{dag} has a run")
        site.ended(dag, str(site.runs(dag)[0]["dag_run_id"]))
        rewrite(site.folder, slug, rows)
    runs = {slug: site.trigger(f"import_{slug}") for slug in CHANGES}
    for slug, run in runs.items():
        site.wait(
            lambda slug=slug, run=run: (
                site.states(f"import_{slug}", run).get("approve") in {"deferred", "awaiting_input"}
            ),
            f"{slug} waits for approval",
            900,
        )
    return runs


def take(page: Page, name: str, shows: str) -> None:
    """A picture of the page, once it shows a text."""
    page.get_by_text(shows).first.wait_for()
    page.wait_for_timeout(2500)
    page.screenshot(path=str(PICTURES / f"{name}.png"))


def main() -> None:
    """All pictures, in a folder beside this file."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="explorer-pictures-") as folder:
        institutions = Path(folder, "institutions")
        institutions.mkdir()
        for slug, (name, _rows) in CHANGES.items():
            institution(institutions, slug, titles(slug, OUTPUTS), name)
        with started(Path(folder, "place"), institutions) as site:
            runs = imported_and_changed(site)
            with logged_in(site) as page:
                for slug, run in runs.items():
                    address = f"{site.airflow.address}/dags/import_{slug}/runs/{run}"
                    page.goto(f"{address}/tasks/approve/required_actions")
                    take(page, f"approval_{slug}", "Nothing has changed yet")
                address = f"{site.airflow.address}/dags/import_half/runs/{runs['half']}"
                page.goto(address)
                take(page, "waiting", "close_staging")
                page.goto(f"{address}/tasks/approve/required_actions")
                page.get_by_role("button", name="Reject").click()
                site.ended("import_half", runs["half"])
                page.goto(address)
                take(page, "rejected", "close_staging")


if __name__ == "__main__":
    main()
