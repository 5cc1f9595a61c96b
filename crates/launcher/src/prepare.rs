//! `prepare`: the cache of checked queries, made from the real schemas, and the documents of events and routes.

use crate::{command_spec::CommandSpec, ephemeral, postgres::Postgres, workspace::Workspace};
use ::events::{catalogue::EVENTS, compatibility};
use anyhow::{Context as _, bail};
use sqlx::{Connection as _, PgConnection, migrate::Migrator};
use std::{collections::BTreeMap, fs, path::Path, process::Stdio, time::SystemTime};

/// The crates with checked queries, and the migrations of their own beside messaging's.
const CRATES: [(&str, &str, &str); 4] = [
    ("messaging", "crates/messaging", "messaging"),
    ("auth-service", "services/auth", "auth"),
    ("profile-service", "services/profile", "profile"),
    ("comm-service", "services/comm", "comm"),
];

/// The services, which describe their routes themselves.
const SERVICES: [&str; 3] = ["auth-service", "profile-service", "comm-service"];

/// Makes `.sqlx/`, `docs/` and what is kept of the events anew; with `check` only compares. The documents of the
/// routes are compared by the services' own tests, which have the services at hand.
pub(crate) async fn run(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let fresh = std::env::temp_dir().join(format!("medtrack-sqlx-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&fresh)?;
    let outcome = ephemeral::with_postgres(async |postgres| {
        migrate(workspace, postgres).await?;
        describe(workspace, postgres, &fresh).await
    })
    .await
    .and_then(|()| compare(&workspace.repository.join(".sqlx"), &fresh, check));
    let _ = fs::remove_dir_all(fresh);
    outcome?;
    events(&workspace.repository, check)?;
    if check {
        Ok(())
    } else {
        routes(workspace).await
    }
}

/// What is kept of the events beside the code: documents, baselines, and a sample of each version for ever.
fn events(root: &Path, check: bool) -> anyhow::Result<()> {
    let docs = ::events::documents::all().into_iter();
    let mut fresh: BTreeMap<String, String> = docs
        .map(|(path, text)| (format!("docs/{path}"), text))
        .collect();
    for entry in &EVENTS {
        let file = |dir: &str| {
            format!(
                "crates/events/tests/{dir}/{}@{}.json",
                entry.key, entry.schema_version
            )
        };
        let baseline = file("baseline");
        let accepted = fs::read_to_string(root.join(&baseline)).ok();
        fresh.insert(
            baseline,
            compatibility::baseline(entry, accepted.as_deref())?,
        );
        let published = file("published");
        if !root.join(&published).exists() {
            fresh.insert(published, entry.sample());
        }
    }
    let old = files(&root.join("docs/schemas"))?
        .into_keys()
        .map(|name| format!("docs/schemas/{name}"));
    let orphans: Vec<_> = old.filter(|path| !fresh.contains_key(path)).collect();
    let stale = |(path, text): &(&String, &String)| {
        fs::read_to_string(root.join(path)).ok().as_ref() != Some(text)
    };
    let stale: Vec<_> = fresh.iter().filter(stale).collect();
    if check && let Some(path) = stale.first().map(|(path, _)| *path).or(orphans.first()) {
        bail!("{path} is stale; try: ./medtrack prepare");
    }
    for (path, text) in &stale {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, text)?;
    }
    for path in &orphans {
        fs::remove_file(root.join(path))?;
    }
    say!(
        "The events' documents are current ({} files, {} refreshed)",
        fresh.len(),
        stale.len() + orphans.len()
    );
    Ok(())
}

/// What the services say of their routes.
async fn routes(workspace: &Workspace) -> anyhow::Result<()> {
    let dir = workspace.repository.join("docs/openapi");
    fs::create_dir_all(&dir)?;
    for service in SERVICES {
        let cargo = CommandSpec::new("cargo")
            .dir(&workspace.repository)
            .args(["run", "--locked", "--quiet", "--bin", service]);
        let mut command = cargo.args(["--", "openapi"]).with_parent_death_signal();
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .await
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("{service} cannot describe its routes; see above");
        }
        fs::write(dir.join(format!("{service}.json")), output.stdout)?;
    }
    say!("docs/openapi is current");
    Ok(())
}

async fn migrate(workspace: &Workspace, postgres: &Postgres) -> anyhow::Result<()> {
    for (_, _, database) in CRATES {
        postgres
            .psql(&format!("create database {database};"))
            .await?;
        let mut connection = PgConnection::connect(&postgres.url(database)).await?;
        let mut messaging =
            Migrator::new(workspace.repository.join("migrations/messaging")).await?;
        messaging.dangerous_set_table_name("_messaging_migrations");
        messaging
            .run(&mut connection)
            .await
            .context("migrations/messaging")?;
        if database != "messaging" {
            let own = Migrator::new(workspace.repository.join("migrations").join(database)).await?;
            own.run(&mut connection)
                .await
                .with_context(|| format!("migrations/{database}"))?;
        }
        connection.close().await?;
    }
    Ok(())
}

async fn describe(workspace: &Workspace, postgres: &Postgres, fresh: &Path) -> anyhow::Result<()> {
    let mut cargo = CommandSpec::new("cargo")
        .args(["check", "--locked", "--quiet"])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", fresh)
        .dir(&workspace.repository);
    for (package, dir, database) in CRATES {
        // The queries are described when the crate is compiled, and cargo compiles what has changed.
        let source = workspace.repository.join(dir).join("src/lib.rs");
        fs::File::options()
            .append(true)
            .open(&source)?
            .set_modified(SystemTime::now())?;
        cargo = cargo.args(["-p", package]).env(
            &format!("{}_DATABASE_URL", database.to_uppercase()),
            postgres.url(database),
        );
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

fn compare(old: &Path, fresh: &Path, check: bool) -> anyhow::Result<()> {
    let (before, after) = (files(old)?, files(fresh)?);
    if before == after {
        say!(".sqlx is current ({} queries)", after.len());
        return Ok(());
    }
    if check {
        bail!(".sqlx is stale; try: ./medtrack prepare");
    }
    fs::create_dir_all(old)?;
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        fs::remove_file(old.join(name))?;
    }
    for (name, text) in &after {
        fs::write(old.join(name), text)?;
    }
    say!(".sqlx is refreshed ({} queries)", after.len());
    Ok(())
}

fn files(dir: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(BTreeMap::new());
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        files.insert(
            entry.file_name().to_string_lossy().into_owned(),
            fs::read_to_string(entry.path())?,
        );
    }
    Ok(files)
}
