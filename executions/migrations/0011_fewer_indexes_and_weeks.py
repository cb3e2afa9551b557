from datetime import timedelta

from django.db import migrations, models

from executions.search.text.columns import SEARCHED
from executions.search.text.indexes import words_index

COLUMNS = "period, start, tool, person, measure, value, count"


def count_weeks(apps, schema_editor):
    """From the days: the events of old ones may be pruned."""
    connection = schema_editor.connection
    days = apps.get_model("executions", "Rollup").objects.filter(period="d").order_by()
    starts = days.values_list("start", flat=True).distinct()
    adapt = connection.ops.adapt_datefield_value
    with connection.cursor() as cursor:
        for monday in sorted({day - timedelta(days=day.weekday()) for day in starts}):
            cursor.execute(
                f"INSERT INTO executions_rollup ({COLUMNS}) "
                "SELECT 'w', %s, tool, person, measure, value, SUM(count) FROM executions_rollup "
                "WHERE period = 'd' AND start BETWEEN %s AND %s AND (person = 0 OR tool = '') "
                "GROUP BY tool, person, measure, value",
                [adapt(monday), adapt(monday), adapt(monday + timedelta(days=6))],
            )


def forget_weeks(apps, schema_editor):
    apps.get_model("executions", "Rollup").objects.filter(period="w").delete()


def usual_sample(apps, schema_editor):
    """A text's own, larger sample made PostgreSQL's statistics cost more than its indexes; no page needs it any more."""
    if schema_editor.connection.vendor == "postgresql":
        for table, column in (("executions_execution", "prompt"), ("executions_file", "display_name")):
            schema_editor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS -1")


def words_anew(apps, schema_editor):
    """PostgreSQL takes a text to its words in another way, and an index answers only what it was made of."""
    if schema_editor.connection.vendor == "postgresql":
        for each in SEARCHED:
            schema_editor.execute(f'DROP INDEX IF EXISTS "{each.words}"')
            schema_editor.execute(words_index(each))


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0010_deliveries_of_files_and_failed'),
    ]

    operations = [
        migrations.AlterField(
            model_name='rollup',
            name='period',
            field=models.CharField(choices=[('d', 'day'), ('w', 'week'), ('m', 'month')], max_length=1),
        ),
        migrations.RunPython(count_weeks, forget_weeks),
        migrations.RunPython(usual_sample, migrations.RunPython.noop),
        migrations.RunPython(words_anew, migrations.RunPython.noop),
        # What another index, or two of them, answer as well.
        migrations.AlterField(
            model_name='event',
            name='position',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.UniqueConstraint(
                condition=models.Q(('position__isnull', False)), fields=('position',), name='event_position_once'
            ),
        ),
        migrations.AlterField(
            model_name='execution',
            name='remote_id',
            field=models.CharField(help_text="VideoGen's id, once known.", max_length=128, null=True),
        ),
        migrations.AddConstraint(
            model_name='execution',
            constraint=models.UniqueConstraint(fields=('remote_id',), name='execution_remote_id_once'),
        ),
        migrations.AddConstraint(
            model_name='execution',
            constraint=models.UniqueConstraint(
                condition=models.Q(('idempotency_key__isnull', False)),
                fields=('created_by', 'idempotency_key'),
                name='execution_started_by_form_once',
            ),
        ),
        migrations.RemoveConstraint(model_name='execution', name='execution_started_once'),
        migrations.RemoveIndex(model_name='event', name='event_unsealed'),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(
                condition=models.Q(('position', None)), fields=['position', 'id'], name='event_to_seal'
            ),
        ),
        migrations.RemoveIndex(model_name='event', name='event_by_kind'),
        migrations.RemoveIndex(model_name='execution', name='execution_by_tool'),
        migrations.RemoveIndex(model_name='execution', name='execution_runs'),
        migrations.RemoveIndex(model_name='execution', name='execution_of_batch'),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['tool', '-id', 'status'], name='execution_tool_newest'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(
                condition=models.Q(('batch__isnull', False)), fields=['batch', 'id'], name='execution_in_batch'
            ),
        ),
    ]
