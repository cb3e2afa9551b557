"""What tests are made of: people, jobs, files, batches and whole tables, each made in one place."""
