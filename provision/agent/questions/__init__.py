"""Questions of `status`, `why` and `unlock`: one answer in place of a plan."""
