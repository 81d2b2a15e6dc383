//! The search for metadata under test.
