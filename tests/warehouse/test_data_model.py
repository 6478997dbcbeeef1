"""The page about the data model is made from the schema files, and is not stale."""

from explorer import data_model, database


def test_the_page_is_up_to_date(warehouse_dsn: str):
    with database.connect(warehouse_dsn) as connection:
        assert data_model.PAGE.read_text(encoding="utf-8") == data_model.page(connection)


def test_schema_files_are_applied_once_and_never_changed(warehouse_dsn: str, monkeypatch, tmp_path):
    import shutil

    import pytest

    with database.connect(warehouse_dsn) as connection:
        assert database.migrate(connection) == []
        copy = tmp_path / "sql"
        shutil.copytree(database.SQL, copy)
        monkeypatch.setattr(database, "SQL", copy)
        file = copy / "schema" / "0001_operations.sql"
        file.write_text(file.read_text() + "-- another line\n")
        with pytest.raises(database.WarehouseUnusableError, match=r"0001_operations\.sql was changed"):
            database.migrate(connection)
