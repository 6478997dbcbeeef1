"""The Explorer for Institutions: from a research information system to a browsable warehouse.

Data flows one way and imports with it: sources make canonical records (Python), SQL works on sets of them,
Airflow wires the steps. Nothing here imports Airflow but the modules that the design names.
"""
