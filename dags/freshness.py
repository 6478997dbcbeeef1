"""The Airflow DAG that looks which institutions are late."""

import os
from pathlib import Path

from explorer import config, pipeline

folders = os.environ.get("EXPLORER_INSTITUTIONS") or str(config.INSTITUTIONS)
freshness = pipeline.freshness_dag([Path(folder) for folder in folders.split(os.pathsep)])
