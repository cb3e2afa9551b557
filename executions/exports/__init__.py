"""Downloads of several files as ZIP archives: the results of batches, and the evidence of a job."""
