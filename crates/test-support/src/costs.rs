//! What PostgreSQL has done for a database: figures that do not depend on how fast the machine is.

use crate::Database;
use std::ops::{Add, Sub};

/// Statements and the WAL that they wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Costs {
    /// Executed statements; each is one round trip.
    pub statements: f64,
    /// Bytes of WAL, without the whole pages that PostgreSQL writes at the first change after a checkpoint.
    pub wal_bytes: f64,
}

impl Database {
    /// What was done in this database since it was created, without the queries of tests.
    ///
    /// # Panics
    /// When PostgreSQL does not preload `pg_stat_statements`, as the launcher's does for tests.
    pub async fn costs(&self) -> Costs {
        self.run("create extension if not exists pg_stat_statements")
            .await;
        let sum = async |what: &str| {
            let query = format!(
                "select coalesce(sum({what}), 0)::float8 from pg_stat_statements
                 where dbid = (select oid from pg_database where datname = current_database())
                   and query not like 'select count(*) from %' and query not like 'select (%'
                   and query not like '%pg_stat_statements%'"
            );
            self.value(&query).await.parse().expect("it is a number")
        };
        Costs {
            statements: sum("calls").await,
            wal_bytes: sum("greatest(wal_bytes - wal_fpi * 8192, 0)").await,
        }
    }
}

impl Add for Costs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            statements: self.statements + other.statements,
            wal_bytes: self.wal_bytes + other.wal_bytes,
        }
    }
}

impl Sub for Costs {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            statements: self.statements - earlier.statements,
            wal_bytes: self.wal_bytes - earlier.wal_bytes,
        }
    }
}
