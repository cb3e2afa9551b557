"""Gives models and fields the words of the glossary. Tables and columns keep their names, so there is no SQL but for indexes."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

RENAMED = {
    'Keeping': 'CopyRequest',
    'Stranger': 'ExternalJob',
    'AccountWalk': 'FileImport',
    'LastLook': 'LastVisit',
    'DayClosing': 'DailyReconciliation',
}


def keep_column(model, old, new, field):
    """Two operations: name the column, which already has that name, and rename the field."""
    return [migrations.AlterField(model, old, field), migrations.RenameField(model, old, new)]


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0012_labels_and_help_texts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        *(migrations.AlterModelTable(old, f'executions_{old.lower()}') for old in RENAMED),
        *(migrations.RenameModel(old, new) for old, new in RENAMED.items()),
        *keep_column(
            'copyrequest',
            'asked_at',
            'requested_at',
            models.DateTimeField(db_column='asked_at', default=django.utils.timezone.now),
        ),
        *keep_column(
            'copyrequest',
            'asked_by',
            'requested_by',
            models.ForeignKey(
                db_column='asked_by_id',
                help_text='Null if every file is copied automatically.',
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name='+',
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        *keep_column(
            'lastvisit',
            'looked_at',
            'seen_until',
            models.DateTimeField(
                db_column='looked_at', help_text='Jobs that finished before this time have been seen.'
            ),
        ),
        *keep_column(
            'lastvisit',
            'before_at',
            'summary_since',
            models.DateTimeField(
                db_column='before_at', help_text='The visit before that, where the summary page begins.'
            ),
        ),
        *keep_column(
            'dailyreconciliation',
            'closed_at',
            'reconciled_at',
            models.DateTimeField(db_column='closed_at', null=True),
        ),
        *keep_column(
            'dailyreconciliation',
            'closed_by',
            'reconciled_by',
            models.ForeignKey(
                db_column='closed_by_id',
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name='+',
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            'copyrequest',
            'file',
            models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name='copy_request', to='executions.file'
            ),
        ),
        migrations.RenameIndex('copyrequest', 'copy_request_due', old_name='keeping_due'),
        migrations.RenameIndex('externaljob', 'external_job_by_tool', old_name='stranger_by_tool'),
    ]
