"""Gives models and fields the words of the glossary. Tables and columns keep their names: only two indexes need SQL."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

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
        # Django does not rename fields inside indexes and constraints. In the database they name columns, and stay.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint('execution', 'execution_cancel_noted_after_wish'),
                migrations.RemoveIndex('file', 'file_due'),
                migrations.RemoveIndex('file', 'file_kept'),
                migrations.RemoveIndex('file', 'file_without_copy'),
            ]
        ),
        *keep_column(
            'execution',
            'cancel_noted_at',
            'cancel_accepted_at',
            models.DateTimeField(
                db_column='cancel_noted_at', help_text='When VideoGen accepted the cancel request.', null=True
            ),
        ),
        *keep_column(
            'execution',
            'hastened_at',
            'prioritised_at',
            models.DateTimeField(
                db_column='hastened_at', help_text='When it was moved to the front of the queue.', null=True
            ),
        ),
        *keep_column(
            'execution',
            'last_heard_at',
            'last_reported_at',
            models.DateTimeField(db_column='last_heard_at', null=True),
        ),
        *keep_column(
            'ratewindow',
            'heard_at',
            'reported_at',
            models.DateTimeField(db_column='heard_at', default=django.utils.timezone.now),
        ),
        *keep_column(
            'file',
            'archive_told_at',
            'archive_reported_at',
            models.DateTimeField(
                db_column='archive_told_at',
                help_text='When VideoGen was asked to hide it, which its API cannot undo.',
                null=True,
            ),
        ),
        *keep_column(
            'file',
            'next_look_at',
            'next_poll_at',
            models.DateTimeField(db_column='next_look_at', null=True),
        ),
        *keep_column(
            'file',
            'looks',
            'polls',
            models.PositiveIntegerField(
                db_column='looks',
                default=0,
                help_text='Polls in a row without a change; the interval grows with it.',
            ),
        ),
        *keep_column('file', 'kept_at', 'copied_at', models.DateTimeField(db_column='kept_at', null=True)),
        *keep_column(
            'file',
            'kept_path',
            'copy_path',
            models.CharField(blank=True, db_column='kept_path', max_length=300),
        ),
        *keep_column(
            'file',
            'kept_sha256',
            'copy_sha256',
            models.CharField(blank=True, db_column='kept_sha256', max_length=64),
        ),
        *keep_column(
            'file',
            'kept_type',
            'copy_type',
            models.CharField(
                blank=True, db_column='kept_type', help_text="The copy's media type.", max_length=100
            ),
        ),
        *keep_column(
            'file',
            'kept_bytes',
            'copy_bytes',
            models.PositiveBigIntegerField(db_column='kept_bytes', null=True),
        ),
        *keep_column(
            'file',
            'kept_thumbnail',
            'copy_thumbnail',
            models.CharField(
                blank=True,
                db_column='kept_thumbnail',
                db_default='',
                default='',
                help_text="Path of a video's thumbnail, stored beside the copy.",
                max_length=300,
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddConstraint(
                    'execution',
                    models.CheckConstraint(
                        condition=Q(cancel_accepted_at=None) | Q(cancel_requested_at__isnull=False),
                        name='execution_cancel_noted_after_wish',
                    ),
                ),
                migrations.AddIndex(
                    'file',
                    models.Index(condition=Q(next_poll_at__isnull=False), fields=['next_poll_at'], name='file_due'),
                ),
                migrations.AddIndex(
                    'file',
                    models.Index(condition=Q(copied_at__isnull=False), fields=['copy_bytes'], name='file_kept'),
                ),
                migrations.AddIndex(
                    'file',
                    models.Index(
                        condition=Q(
                            copied_at=None, gone_at=None, origin__in=['result', 'upload'], state='ready'
                        ),
                        fields=['-id'],
                        name='file_without_copy',
                    ),
                ),
            ]
        ),
    ]
