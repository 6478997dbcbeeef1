"""The refresh of attention: daily for all institutions, and for each whose outputs were published."""

import os
from pathlib import Path

from airflow.sdk import get_parsing_context

from explorer import config, pipeline

folders = os.environ.get("EXPLORER_INSTITUTIONS") or str(config.INSTITUTIONS)

if get_parsing_context().dag_id in (None, "attention"):
    pipeline.attention_dag([file for folder in folders.split(os.pathsep) for file in config.files(Path(folder))])
