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

/// A crate with checked queries.
struct Described {
    package: &'static str,
    /// The file that reads [`RUN`].
    source: PathBuf,
    /// The database, and the variable that names it is `…_DATABASE_URL`.
    database: &'static str,
    /// Directories of migrations, in their order.
    migrations: Vec<&'static str>,
}

fn crates() -> Vec<Described> {
    let messaging = Described {
        package: "messaging",
        source: "crates/messaging/src/lib.rs".into(),
        database: "messaging",
        migrations: vec!["messaging"],
    };
    let service = SERVICES.iter().map(|service| Described {
        package: service.name,
        source: format!("services/{}/src/store.rs", service.short).into(),
        database: service.short,
        migrations: vec!["messaging", service.short],
    });
    std::iter::once(messaging).chain(service).collect()
}

/// Makes the descriptions anew; with `check` only compares.
pub(super) async fn refresh(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let fresh = std::env::temp_dir().join(format!("medtrack-sqlx-{}", Uuid::new_v4()));
    fs::create_dir(&fresh)?;
    let described = ephemeral::with_postgres(async |postgres| {
        for described in crates() {
            migrate(workspace, postgres, &described).await?;
        }
        describe(workspace, postgres, &fresh).await
    });
    let outcome = described
        .await
        .and_then(|()| compare(&workspace.repository.join(".sqlx"), &fresh, check));
    let _ = fs::remove_dir_all(fresh);
    outcome
}

async fn migrate(
    workspace: &Workspace,
    postgres: &Postgres,
    described: &Described,
) -> anyhow::Result<()> {
    let database = described.database;
    postgres
        .psql(&format!("create database {database};"))
        .await?;
    for name in &described.migrations {
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

/// Compiles all crates with queries; sqlx's macros write the descriptions into `fresh`.
async fn describe(workspace: &Workspace, postgres: &Postgres, fresh: &Path) -> anyhow::Result<()> {
    let mut cargo = CommandSpec::new("cargo")
        .args(["check", "--locked"])
        .args(
            crates()
                .iter()
                .flat_map(|described| ["-p", described.package]),
        )
        .args(workspace.release_flag())
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", fresh)
        .env(RUN, Uuid::new_v4().to_string())
        .dir(&workspace.repository);
    for described in crates() {
        // Without it, cargo would keep what it compiled before, and the crate's queries would be missing.
        let source = fs::read_to_string(workspace.repository.join(&described.source))?;
        if !source.contains(&format!("option_env!(\"{RUN}\")")) {
            bail!(
                "{} must contain: const _: Option<&str> = option_env!(\"{RUN}\");",
                described.source.display()
            );
        }
        let database = described.database;
        let variable = format!("{}_DATABASE_URL", database.to_uppercase());
        cargo = cargo.env(&variable, postgres.url(database));
    }
    let status = cargo
        .with_parent_death_signal()
        .status()
        .await
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the queries do not fit the schemas; see above");
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
