"""What the domain tells the rest of the house: that a job changed or was spoken about, once it is committed."""

from django.dispatch import Signal

# Arguments: execution_id (UUID), created (bool), from_status and to_status (str; equal when the status stayed),
# owner_id (int or None), batch_id (UUID or None).
execution_changed = Signal()

# Arguments: execution_id (UUID), owner_id (int or None), people (ids of those whose unread mentions changed).
job_commented = Signal()
# The queue as a whole changed: it was paused or resumed, or an hourly limit was reached. No arguments.
queue_changed = Signal()
