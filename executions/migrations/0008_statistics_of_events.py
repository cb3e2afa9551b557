# PostgreSQL learns which kinds of events never come from a source, a person or an address: it would search for them
# through the whole record otherwise.

from django.db import migrations

PAIRS = {
    "executions_event_source_kind": "source, kind",
    "executions_event_actor_kind": "actor_id, kind",
    "executions_event_address_kind": "address, kind",
}


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name, columns in PAIRS.items():
            schema_editor.execute(f"CREATE STATISTICS {name} (mcv) ON {columns} FROM executions_event")


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in PAIRS:
            schema_editor.execute(f"DROP STATISTICS {name}")


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0007_insights_comments_looks'),
    ]

    operations = [migrations.RunPython(forwards, backwards, elidable=False)]
