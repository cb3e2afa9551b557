"""Signals that the domain sends after a commit, for the live pages and the workers."""

from django.dispatch import Signal

# A job was created or changed. Arguments: execution_id (UUID), created (bool), from_status and to_status (str; equal
# when the status did not change), owner_id (int or None), batch_id (UUID or None).
execution_changed = Signal()

# A comment was written or withdrawn. Arguments: execution_id (UUID), owner_id (int or None), people (ids of the
# people whose unread mentions changed).
job_commented = Signal()

# The queue was paused or resumed, or an hourly limit was reached. No arguments.
queue_changed = Signal()
