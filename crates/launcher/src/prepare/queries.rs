//! `.sqlx/`: the descriptions of all checked queries, made by compiling them against the real schemas. `psql` applies
//! the migrations, so this needs neither a service nor sqlx, and works while the descriptions are stale.

use super::files;
use crate::{
    command_spec::CommandSpec, ephemeral, output::say, postgres::Postgres, workspace::Workspace,
};
use anyhow::{Context as _, bail};
use events::topology::SERVICES;
use std::{
    fs,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// A crate compiles its queries again when the value of this variable differs: its source reads it by `option_env!`.
const RUN: &str = "MEDTRACK_PREPARE";

/// The migrations of messaging, which every database has, and the name of the database that has no others.
const MESSAGING: &str = "messaging";

/// The crates beside the services that have checked queries and migrations of their own.
const SHARED: [&str; 2] = [MESSAGING, "mail"];

/// The databases that the queries are checked against. `AUTH_DATABASE_URL` names the database `auth`.
fn databases() -> Vec<&'static str> {
    let services = SERVICES.iter().map(|service| service.short);
    SHARED.into_iter().chain(services).collect()
}

/// The files that read [`RUN`], one in each crate with checked queries.
fn sources() -> Vec<String> {
    let services = SERVICES
        .iter()
        .map(|service| format!("services/{}/src/store.rs", service.short));
    SHARED
        .map(|name| format!("crates/{name}/src/lib.rs"))
        .into_iter()
        .chain(["crates/operator/src/views.rs".to_owned()])
        .chain(services)
        .collect()
}

/// Makes the descriptions anew; with `check` only compares.
pub(super) async fn refresh(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let fresh = std::env::temp_dir().join(format!("medtrack-sqlx-{}", Uuid::new_v4()));
    fs::create_dir(&fresh)?;
    let described = ephemeral::with_postgres(async |postgres| {
        for database in databases() {
            migrate(workspace, postgres, database).await?;
        }
        describe(workspace, postgres, &fresh).await
    });
    let outcome = described
        .await
        .and_then(|()| compare(&workspace.repository.join(".sqlx"), &fresh, check));
    let _ = fs::remove_dir_all(fresh);
    outcome
}

/// Creates a database and applies the migrations of messaging and its own.
async fn migrate(workspace: &Workspace, postgres: &Postgres, database: &str) -> anyhow::Result<()> {
    postgres
        .psql(&format!("create database {database};"))
        .await?;
    let mut directories = vec![MESSAGING, database];
    directories.dedup();
    for name in directories {
        let dir = workspace.repository.join("migrations").join(name);
        let entries =
            fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
        let mut migrations: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        migrations.sort();
        for migration in migrations {
            postgres.psql_file(database, &migration).await?;
        }
    }
    Ok(())
}

/// Checks the same programs as the shim builds, to share what it built; sqlx's macros write the descriptions into
/// `fresh`.
async fn describe(workspace: &Workspace, postgres: &Postgres, fresh: &Path) -> anyhow::Result<()> {
    let mut cargo = CommandSpec::new("cargo")
        .args(["check", "--locked", "--workspace", "--bins"])
        .args(workspace.release_flag())
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", fresh)
        .env(RUN, Uuid::new_v4().to_string())
        .dir(&workspace.repository);
    for source in sources() {
        // Without it, cargo would keep what it compiled before, and the crate's queries would be missing.
        let code = fs::read_to_string(workspace.repository.join(&source))?;
        if !code.contains(&format!("option_env!(\"{RUN}\")")) {
            bail!("{source} must contain: const _: Option<&str> = option_env!(\"{RUN}\");");
        }
    }
    for database in databases() {
        let variable = format!("{}_DATABASE_URL", database.to_uppercase());
        cargo = cargo.env(&variable, postgres.url(database));
    }
    let status = cargo
        .with_parent_death_signal()
        .status()
        .await
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the queries do not fit the schemas, or the code does not compile; see above");
    }
    Ok(())
}

fn compare(dir: &Path, fresh: &Path, check: bool) -> anyhow::Result<()> {
    let (old, fresh) = (files::read(dir)?, files::read(fresh)?);
    let stale = files::differences(&old, &fresh);
    if check && !stale.is_empty() {
        bail!(".sqlx is stale; try: ./medtrack prepare");
    }
    files::replace(dir, &old, &fresh)?;
    let state = if stale.is_empty() {
        "current"
    } else {
        "refreshed"
    };
    say(&format!(".sqlx is {state} ({} queries)", fresh.len()));
    Ok(())
}
