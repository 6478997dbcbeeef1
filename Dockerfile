# One image for all of Airflow's components; docker-compose.yaml says which is which.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home airflow

# The same pins as without Docker, and Celery, which only runs here; the pins keep it from moving the others.
WORKDIR /opt/explorer
COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt \
    && pip install --no-cache-dir --constraint requirements.txt "apache-airflow-providers-celery" redis

COPY . .
# bin/explorer finds an environment that is already made.
RUN python -m venv --system-site-packages --without-pip .venv \
    && cp requirements.txt .venv/ \
    && mkdir -p /home/airflow/logs /home/airflow/state \
    && chown -R airflow:airflow /home/airflow

USER airflow
ENV AIRFLOW_HOME=/home/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/explorer/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/explorer/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/home/airflow/logs \
    EXPLORER_LOCAL=/home/airflow/state \
    GX_ANALYTICS_ENABLED=False \
    PYTHONPATH=/opt/explorer/plugins \
    PYTHONUNBUFFERED=1
CMD ["airflow", "version"]
