//! comm-service from outside: the real binary, a real database, a real broker.

mod backlog;
mod changing;
mod counting;
mod creating;
mod equality;
mod inbox;
mod internships;
mod languages;
mod once;
mod openapi;
mod preferences;
mod purging;
