"""The History page: its query, its filter form, its rows, bulk actions and exports."""
