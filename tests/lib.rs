//! The three services together: see the test targets beside this file.
