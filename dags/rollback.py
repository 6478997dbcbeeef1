"""The Airflow DAGs that roll an institution back to an import of its history, and release it again."""

from explorer import pipeline

rollback = pipeline.rollback_dag()
release = pipeline.release_dag()
