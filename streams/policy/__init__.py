"""How the product asks what lies outside: one policy per place, a circuit breaker with tries that are spaced out.

``Policy`` puts the two together; ``policies`` is the register of those alive in this process, by name, which health checks read
and cascade prevention acts on. Only errors whose type says that they may pass (``streams.errors.may_pass``) count as failures
of a place, and only these are worth another try.
"""

from streams.policy.breaker import Breaker, State, View
from streams.policy.errors import CircuitOpenError, CrowdedError, LateCallError, SourceOpenError, StoreOpenError
from streams.policy.policy import Policy
from streams.policy.register import force_close, force_open, open_on, policies, policy_for, reset, views
from streams.policy.terms import Terms

__all__ = [
    "Breaker",
    "CircuitOpenError",
    "CrowdedError",
    "LateCallError",
    "Policy",
    "SourceOpenError",
    "State",
    "StoreOpenError",
    "Terms",
    "View",
    "force_close",
    "force_open",
    "open_on",
    "policies",
    "policy_for",
    "reset",
    "views",
]
