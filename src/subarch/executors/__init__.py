"""Where trainings run: any ``concurrent.futures.Executor``, by name."""
