"""Labels and help texts only: no SQL."""

import django.db.models.deletion
import django.utils.timezone
import executions.core.request_context
from django.conf import settings
from django.db import migrations, models


class AlterTogether(migrations.SeparateDatabaseAndState):
    """Alters fields without SQL. The models are rendered once afterwards, not once for each field."""

    def state_forwards(self, app_label, state):
        if "apps" in state.__dict__:
            del state.apps
        super().state_forwards(app_label, state)


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0011_fewer_indexes_and_weeks'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AlterTogether(
            state_operations=[
                migrations.AlterField(
                    model_name='accountwalk',
                    name='completed_at',
                    field=models.DateTimeField(help_text='Set once the list has been read to its end.', null=True),
                ),
                migrations.AlterField(
                    model_name='accountwalk',
                    name='problem',
                    field=models.CharField(blank=True, help_text='Why the last round failed.', max_length=500),
                ),
                migrations.AlterField(
                    model_name='batch',
                    name='sends_at',
                    field=models.DateTimeField(default=django.utils.timezone.now, help_text='Nothing is sent before this time; until then it can be undone.'),
                ),
                migrations.AlterField(
                    model_name='batch',
                    name='size',
                    field=models.PositiveIntegerField(help_text='Number of jobs, including speech jobs that run first.'),
                ),
                migrations.AlterField(
                    model_name='batchcancel',
                    name='report',
                    field=models.JSONField(default=dict, help_text='The outcome for each job, by its id.'),
                ),
                migrations.AlterField(
                    model_name='batchplan',
                    name='rows',
                    field=models.JSONField(default=list, help_text='executions.batches.rows.Row, as dictionaries.'),
                ),
                migrations.AlterField(
                    model_name='dayclosing',
                    name='here',
                    field=models.PositiveIntegerField(default=0, help_text='Jobs that VideoGen accepted that day, according to Rushes.'),
                ),
                migrations.AlterField(
                    model_name='dayclosing',
                    name='there',
                    field=models.PositiveIntegerField(help_text="Jobs in the account's list; null: unknown.", null=True),
                ),
                migrations.AlterField(
                    model_name='event',
                    name='address',
                    field=models.CharField(blank=True, db_default='', default=executions.core.request_context.address, help_text="IP address of the actor's request.", max_length=64),
                ),
                migrations.AlterField(
                    model_name='event',
                    name='kind',
                    field=models.CharField(choices=[('started', 'Started'), ('sent', 'Sent'), ('postponed', 'Postponed'), ('status', 'Status'), ('attempt', 'Attempt'), ('cancel requested', 'Cancel Requested'), ('cancel noted', 'Cancel Noted'), ('cancel refused', 'Cancel Refused'), ('paused', 'Paused'), ('resumed', 'Resumed'), ('moved to the front', 'Moved To Front'), ('edited', 'Edited'), ('commented', 'Commented'), ('file uploaded', 'Uploaded'), ('file archived', 'Archived'), ('file restored', 'Restored'), ('file published', 'Published'), ('file withdrawn', 'Withdrawn'), ('file kept', 'file copied'), ('file downloaded', 'Downloaded'), ('public link copied', 'Link Copied'), ('signed in', 'Signed In'), ('sign-in failed', 'Sign In Failed'), ('signed out', 'Signed Out'), ('invited', 'Invited'), ('invitation withdrawn', 'Invitation Withdrawn'), ('joined', 'Joined'), ('role changed', 'Role Changed'), ('shut out', 'deactivated'), ('let in', 'reactivated'), ('endpoint made', 'endpoint created'), ('endpoint rotated', 'Endpoint Rotated'), ('endpoint deleted', 'Endpoint Deleted'), ('deliveries replayed', 'Replayed'), ('batch started', 'Batch Started'), ('batch undone', 'Batch Undone'), ('batch cancelled', 'Batch Cancelled'), ('queue paused', 'Queue Paused'), ('queue resumed', 'Queue Resumed'), ('exported', 'Exported'), ('evidence taken', 'Evidence Taken'), ('setting changed', 'Setting Changed'), ('day closed', 'day reconciled'), ('record pruned', 'audit log pruned')], max_length=32),
                ),
                migrations.AlterField(
                    model_name='event',
                    name='source',
                    field=models.CharField(choices=[('person', 'Person'), ('webhook', 'Webhook'), ('poll', 'Poll'), ('answer', "VideoGen's response"), ('system', 'System')], max_length=16),
                ),
                migrations.AlterField(
                    model_name='event',
                    name='subject_name',
                    field=models.CharField(blank=True, db_default='', default='', help_text='Its name at that time.', max_length=200),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='cancel_noted_at',
                    field=models.DateTimeField(help_text='When VideoGen accepted the cancel request.', null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='cancel_reason',
                    field=models.CharField(blank=True, db_default='', default='', help_text='The reason given by the person who cancelled.', max_length=200),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='duration',
                    field=models.FloatField(help_text='Seconds from creation in Rushes to the end.', null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='error_code',
                    field=models.CharField(help_text="VideoGen's error code, if there is one; for filters.", max_length=64, null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='fingerprint',
                    field=models.CharField(blank=True, help_text='The same for jobs of a tool with the same request.', max_length=64),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='hastened_at',
                    field=models.DateTimeField(help_text='When it was moved to the front of the queue.', null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='idempotency_key',
                    field=models.CharField(help_text='Set by the form: submitting a form twice starts one job.', max_length=128, null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='note',
                    field=models.CharField(blank=True, help_text="Shown on the job's card while it waits: why it waits.", max_length=200),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='origin',
                    field=models.CharField(choices=[('here', 'started in Rushes'), ('elsewhere', 'started outside Rushes')], default='here', max_length=16),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='paused_at',
                    field=models.DateTimeField(help_text='If set, the job is not sent until it is resumed.', null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='progress',
                    field=models.FloatField(help_text='Percent of the current attempt, as reported.', null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='prompt',
                    field=models.TextField(blank=True, help_text="The job's title in lists."),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='sent_at',
                    field=models.DateTimeField(help_text='When the request may have been sent.', null=True),
                ),
                migrations.AlterField(
                    model_name='execution',
                    name='version',
                    field=models.PositiveIntegerField(default=0, help_text='Number of changes; guards the conditional UPDATE.'),
                ),
                migrations.AlterField(
                    model_name='file',
                    name='archive_told_at',
                    field=models.DateTimeField(help_text='When VideoGen was asked to hide it, which its API cannot undo.', null=True),
                ),
                migrations.AlterField(
                    model_name='file',
                    name='duration',
                    field=models.FloatField(help_text='Seconds; null for images.', null=True),
                ),
                migrations.AlterField(
                    model_name='file',
                    name='gone_at',
                    field=models.DateTimeField(help_text='When VideoGen reported that it no longer has it.', null=True),
                ),
                migrations.AlterField(
                    model_name='file',
                    name='kept_thumbnail',
                    field=models.CharField(blank=True, db_default='', default='', help_text="Path of a video's thumbnail, stored beside the copy.", max_length=300),
                ),
                migrations.AlterField(
                    model_name='file',
                    name='looks',
                    field=models.PositiveIntegerField(default=0, help_text='Polls in a row without a change; the interval grows with it.'),
                ),
                migrations.AlterField(
                    model_name='file',
                    name='problem',
                    field=models.CharField(blank=True, help_text='Why it failed, as a message.', max_length=500),
                ),
                migrations.AlterField(
                    model_name='file',
                    name='type',
                    field=models.CharField(blank=True, help_text='IMAGE, VIDEO, AUDIO or a type added later; empty: unknown.', max_length=32),
                ),
                migrations.AlterField(
                    model_name='input',
                    name='field',
                    field=models.CharField(help_text='The field of the request that names the file.', max_length=64),
                ),
                migrations.AlterField(
                    model_name='invitation',
                    name='note',
                    field=models.CharField(blank=True, help_text='Label: who the invitation is for.', max_length=100),
                ),
                migrations.AlterField(
                    model_name='keeping',
                    name='asked_by',
                    field=models.ForeignKey(help_text='Null if every file is copied automatically.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
                ),
                migrations.AlterField(
                    model_name='keeping',
                    name='due_at',
                    field=models.DateTimeField(default=django.utils.timezone.now, help_text='Time of the next attempt; null after giving up.', null=True),
                ),
                migrations.AlterField(
                    model_name='keeping',
                    name='problem',
                    field=models.CharField(blank=True, help_text='Why the last attempt failed.', max_length=500),
                ),
                migrations.AlterField(
                    model_name='keeping',
                    name='received',
                    field=models.PositiveBigIntegerField(default=0, help_text='Bytes stored so far.'),
                ),
                migrations.AlterField(
                    model_name='keeping',
                    name='total',
                    field=models.PositiveBigIntegerField(help_text='Bytes of the whole file, once known.', null=True),
                ),
                migrations.AlterField(
                    model_name='keeping',
                    name='tries',
                    field=models.PositiveIntegerField(default=0, help_text='Failed attempts in a row.'),
                ),
                migrations.AlterField(
                    model_name='keeping',
                    name='validator',
                    field=models.CharField(blank=True, help_text="The media server's validator (ETag) of the stored bytes.", max_length=200),
                ),
                migrations.AlterField(
                    model_name='lastlook',
                    name='before_at',
                    field=models.DateTimeField(help_text='The visit before that, where the summary page begins.'),
                ),
                migrations.AlterField(
                    model_name='lastlook',
                    name='looked_at',
                    field=models.DateTimeField(help_text='Jobs that finished before this time have been seen.'),
                ),
                migrations.AlterField(
                    model_name='rejection',
                    name='hour',
                    field=models.DateTimeField(help_text='Start of the hour.'),
                ),
                migrations.AlterField(
                    model_name='rejection',
                    name='sample',
                    field=models.JSONField(default=dict, help_text='The latest request: its IP address, size and first bytes.'),
                ),
                migrations.AlterField(
                    model_name='rollup',
                    name='measure',
                    field=models.CharField(choices=[('started', 'jobs started; no value'), ('hour', 'jobs started, by hour of the week from Monday 00:00 UTC'), ('ended', 'jobs finished, by status'), ('failed', 'jobs failed, by error code'), ('waiting', 'jobs finished, by bucket of the time before they ran'), ('running', 'jobs finished that ran, by bucket of the running time'), ('delay', 'webhook updates, by bucket of their delay'), ('heard', 'status updates, by source')], max_length=8),
                ),
                migrations.AlterField(
                    model_name='rollup',
                    name='person',
                    field=models.IntegerField(help_text="The person's id; 0: any, -1: started outside Rushes."),
                ),
                migrations.AlterField(
                    model_name='rollupstate',
                    name='counted_until',
                    field=models.DateTimeField(help_text='When all events were last known to be counted.', null=True),
                ),
                migrations.AlterField(
                    model_name='savedfilter',
                    name='query',
                    field=models.CharField(blank=True, help_text='The query string of the history page.', max_length=2000),
                ),
                migrations.AlterField(
                    model_name='selection',
                    name='ids',
                    field=models.JSONField(default=list, help_text="The jobs' ids, in the order shown."),
                ),
                migrations.AlterField(
                    model_name='selection',
                    name='report',
                    field=models.JSONField(default=dict, help_text='The outcome for each job, by its id.'),
                ),
                migrations.AlterField(
                    model_name='stranger',
                    name='status',
                    field=models.CharField(help_text='The status reported last.', max_length=64),
                ),
                migrations.AlterField(
                    model_name='stranger',
                    name='tool',
                    field=models.CharField(help_text='The slug, from the catalogue or derived from the type.', max_length=64),
                ),
                migrations.AlterField(
                    model_name='summary',
                    name='counts',
                    field=models.JSONField(help_text='Number of events by kind.'),
                ),
                migrations.AlterField(
                    model_name='summary',
                    name='first_at',
                    field=models.DateTimeField(help_text='When its first event was recorded.'),
                ),
                migrations.AlterField(
                    model_name='summary',
                    name='last_hash',
                    field=models.CharField(help_text='Hash of its last event, from which the next event continues.', max_length=64),
                ),
                migrations.AlterField(
                    model_name='summary',
                    name='signature',
                    field=models.CharField(help_text='Covers all of the above, with one of our encryption keys.', max_length=64),
                ),
                migrations.AlterField(
                    model_name='verification',
                    name='position',
                    field=models.BigIntegerField(help_text='Position of the last intact event.'),
                ),
                migrations.AlterField(
                    model_name='verification',
                    name='problem',
                    field=models.CharField(blank=True, help_text='Empty if the log is intact.', max_length=300),
                ),
                migrations.AlterField(
                    model_name='webhookdelivery',
                    name='body',
                    field=models.BinaryField(help_text='The signed raw bytes.'),
                ),
                migrations.AlterField(
                    model_name='webhookdelivery',
                    name='headers',
                    field=models.JSONField(default=dict, help_text='The three webhook-* headers, as received.'),
                ),
                migrations.AlterField(
                    model_name='webhookdelivery',
                    name='outcome',
                    field=models.CharField(choices=[('applied', 'Applied'), ('too late', 'changed nothing'), ('unknown job', 'Unknown Job'), ('unknown event', 'Unknown Event'), ('file', 'File'), ('failed', 'processing failed')], max_length=16),
                ),
                migrations.AlterField(
                    model_name='webhookdelivery',
                    name='pruned_at',
                    field=models.DateTimeField(help_text='When retention removed the body.', null=True),
                ),
                migrations.AlterField(
                    model_name='webhookdelivery',
                    name='repeats',
                    field=models.PositiveIntegerField(default=0, help_text='Repeated attempts of the same message.'),
                ),
                migrations.AlterField(
                    model_name='webhookdelivery',
                    name='webhook_id',
                    field=models.CharField(help_text='The same for all attempts of a message.', max_length=255, unique=True),
                ),
            ],
        ),
    ]
