"""One DAG for every YAML file of an institution; a broken file becomes a DAG that fails and says why."""

import os
from pathlib import Path

from airflow.sdk import get_parsing_context

from explorer import config, pipeline

wanted = get_parsing_context().dag_id
folders = os.environ.get("EXPLORER_INSTITUTIONS") or str(config.INSTITUTIONS)

for folder in folders.split(os.pathsep):
    for file in config.files(Path(folder)):
        if wanted in (None, f"import_{config.slug_of(file)}"):
            try:
                institution = config.load(file)
            except config.ConfigError as error:
                pipeline.broken_dag(file, str(error))
            else:
                pipeline.import_dag(file, institution)
