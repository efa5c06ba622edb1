"""Scripted faults: which requests go wrong, and how. Each kind is one class in ``kinds``."""

from fcasync.sandbox._api.faults.fault import KINDS, Fault, Wire
from fcasync.sandbox._api.faults.kinds import NO_FAULT
from fcasync.sandbox._api.faults.script import SCHEMA, FaultBook, fault

__all__ = ["KINDS", "NO_FAULT", "SCHEMA", "Fault", "FaultBook", "Wire", "fault"]
