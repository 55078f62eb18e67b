"""A simulated business whose truth is known: customers, their touchpoints in every channel, and what goes wrong on the way."""

from pipeline.simulate.options import OptionError, Options
from pipeline.simulate.simulation import Kind, Record, Simulation, Tally, simulate

__all__ = ["Kind", "OptionError", "Options", "Record", "Simulation", "Tally", "simulate"]
