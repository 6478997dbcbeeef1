"""The Airflow DAG that rolls an institution back to an import of its history."""

from explorer import pipeline

rollback = pipeline.rollback_dag()
