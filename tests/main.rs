//! The tests of torr as one binary.
