//! The fixture of one test: a database, a mail server, and secrets that the test can read.
#![expect(
    clippy::disallowed_methods,
    reason = "a table of the test's own, unknown to the checked queries"
)]

use futures_util::{FutureExt as _, future::BoxFuture};
use mail::{Content, Drawn, Language, Limits, Link, Mail, MailConfig, Purpose, Worker};
use sqlx::PgConnection;
use std::{path::Path, time::Duration};
use test_support::{Database, SmtpServer, eventually, smtp::Encryption};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take that takes milliseconds when all is well.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// The pages that links lead to.
pub(crate) const PUBLIC_URL: &str = "https://medtrack.example";
/// Whose links have no purpose any more.
pub(crate) const OBSOLETE: &str = "verified@example.org";
/// Whose links cannot be drawn.
pub(crate) const BROKEN: &str = "broken@example.org";

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) server: SmtpServer,
    config: MailConfig,
    pub(crate) limits: Limits,
}

impl Fixture {
    /// A server that encrypts, and wants a log-in.
    pub(crate) async fn new() -> Self {
        let server = SmtpServer::encrypted(Encryption::StartTls).await;
        let url = format!("smtp://sender:p%40ss@{}", server.address);
        Self::with(server, &url).await
    }

    pub(crate) async fn with(server: SmtpServer, url: &str) -> Self {
        let database = Database::migrated(&[&mail::MIGRATOR]).await;
        sqlx::query("create table secret (secret text, user_id uuid, purpose text, recipient text, seconds float8, at serial)")
            .execute(&database.pool)
            .await
            .unwrap();
        Self {
            database,
            server,
            config: config(url),
            limits: Limits {
                connect: Duration::from_secs(5),
                step: Duration::from_secs(2),
                text: Duration::from_secs(2),
                lease: Duration::from_secs(30),
                poll: Duration::from_millis(20),
                pause: Duration::from_millis(20),
            },
        }
    }

    pub(crate) fn configured(self, config: MailConfig) -> Self {
        Self { config, ..self }
    }

    /// Starts a worker.
    pub(crate) fn start(&self) -> Running {
        let worker = Worker::new(self.database.pool.clone(), &self.config, PUBLIC_URL, draw)
            .expect("the address is well-formed")
            .with_limits(self.limits);
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run(stop.clone()));
        Running { stop, task }
    }

    /// Writes a mail, in a transaction of its own.
    pub(crate) async fn enqueue(&self, recipient: &str, content: Content) -> Uuid {
        let mut tx = self.database.pool.begin().await.unwrap();
        let id = mail::enqueue(&mut tx, &mail_to(recipient, content))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Waits until a mail has this state.
    pub(crate) async fn until(&self, id: Uuid, state: &str) {
        let is = format!("select state = '{state}' from mail where id = '{id}'");
        eventually(SOON, &is, async || self.database.is(&is).await).await;
    }

    /// A column of a mail, as text.
    pub(crate) async fn value(&self, id: Uuid, column: &str) -> String {
        let query =
            format!("select coalesce(({column})::text, 'null') from mail where id = '{id}'");
        self.database.value(&query).await
    }
}

/// A worker that runs; it is aborted, as by a crash, when it is dropped.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Stops it, and waits until it has finished what it has in hand.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn config(url: &str) -> MailConfig {
    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-support/tls/authority.pem");
    MailConfig {
        mail_url: Some(url.to_owned().into()),
        mail_url_file: None,
        mail_from: "MedTrack <no-reply@medtrack.example>".parse().unwrap(),
        tls_ca_file: Some(tls),
    }
}

pub(crate) fn mail_to(recipient: &str, content: Content) -> Mail<'_> {
    Mail {
        user_id: Uuid::now_v7(),
        recipient,
        name: "Amina",
        language: Language::English,
        content,
    }
}

/// Draws a secret as a service does, but for the hash.
fn draw<'a>(
    connection: &'a mut PgConnection,
    link: Link<'a>,
) -> BoxFuture<'a, anyhow::Result<Drawn>> {
    async move {
        if link.recipient == OBSOLETE {
            return Ok(Drawn::Obsolete);
        }
        anyhow::ensure!(link.recipient != BROKEN, "the test wants it so");
        let secret = Uuid::new_v4().simple().to_string();
        sqlx::query("insert into secret values ($1, $2, $3, $4, $5)")
            .bind(&secret)
            .bind(link.user_id)
            .bind(link.purpose.as_str())
            .bind(link.recipient)
            .bind(link.valid_for.as_seconds_f64())
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "delete from secret where at = any(array(select at from secret where user_id = $1 and purpose = $2
                                                     order by at desc offset $3))",
        )
        .bind(link.user_id)
        .bind(link.purpose.as_str())
        .bind(Purpose::MOST_LIVE)
        .execute(connection)
        .await?;
        Ok(Drawn::Secret(secret.into()))
    }
    .boxed()
}
