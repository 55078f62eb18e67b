"""What all tests share: how hypothesis searches."""

from hypothesis import HealthCheck, settings

# No deadlines: a slow machine is no fault of the code. `thorough` is for an evening: pytest --hypothesis-profile=thorough.
settings.register_profile("quick", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")
