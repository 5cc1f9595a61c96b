//! All services together: see the test targets beside this file.
