# What the page of figures, comments on jobs, and "since you left" need.

import django.db.models.deletion
import django.utils.timezone
import executions.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ("executions", "0006_copies_of_files_and_search_by_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.UUIDField(default=executions.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('text', models.TextField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('withdrawn_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='LastLook',
            fields=[
                ('person', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to=settings.AUTH_USER_MODEL)),
                ('looked_at', models.DateTimeField(help_text='Whatever ended before has been seen.')),
                ('before_at', models.DateTimeField(help_text='The look before: the page about it begins there.')),
            ],
        ),
        migrations.CreateModel(
            name='Mention',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seen_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Rollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period', models.CharField(choices=[('d', 'day'), ('m', 'month')], max_length=1)),
                ('start', models.DateField(help_text='The first day. A job counts on the day (UTC) it was started.')),
                ('tool', models.CharField(blank=True, help_text='The slug; empty: any.', max_length=64)),
                ('person', models.IntegerField(help_text="The person's id; 0: anybody, -1: nobody here.")),
                ('measure', models.CharField(choices=[('started', 'jobs started; no value'), ('hour', 'jobs started, by hour of the week from Monday 00:00 UTC'), ('ended', 'jobs ended, by status'), ('failed', 'jobs failed, by error code'), ('waiting', 'jobs ended, by bucket of the time before they ran'), ('running', 'jobs ended that ran, by bucket of the time they ran'), ('delay', 'news by webhook, by bucket of how late we knew'), ('heard', 'news of a status, by the source that brought it')], max_length=8)),
                ('value', models.CharField(blank=True, max_length=64)),
                ('count', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='RollupState',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('event_id', models.BigIntegerField(default=0, help_text='Events up to this one are counted.')),
                ('counted_until', models.DateTimeField(help_text='When that was last known to be all.', null=True)),
                ('leased_until', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['created_by', '-ended_at'], name='execution_ended_of_person'),
        ),
        migrations.AddField(
            model_name='comment',
            name='author',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='comment',
            name='execution',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='executions.execution'),
        ),
        migrations.AddField(
            model_name='mention',
            name='comment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mentions', to='executions.comment'),
        ),
        migrations.AddField(
            model_name='mention',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mentions', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='rollup',
            constraint=models.UniqueConstraint(fields=('period', 'measure', 'person', 'tool', 'start', 'value'), name='rollup_once'),
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(fields=['execution', 'id'], name='comment_of_execution'),
        ),
        migrations.AddIndex(
            model_name='mention',
            index=models.Index(fields=['person', '-id'], name='mention_of_person'),
        ),
        migrations.AddIndex(
            model_name='mention',
            index=models.Index(condition=models.Q(('seen_at', None)), fields=['person'], name='mention_unread'),
        ),
        migrations.AddConstraint(
            model_name='mention',
            constraint=models.UniqueConstraint(fields=('comment', 'person'), name='mention_once'),
        ),
    ]
