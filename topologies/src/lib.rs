//! Ready topologies.
