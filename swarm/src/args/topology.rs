//! Arguments of the commands that work on topologies.
