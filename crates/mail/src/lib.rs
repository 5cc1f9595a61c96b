//! Mails: rows of the sender's database, which a worker renders and sends.
//!
//! # The life of a mail
//!
//! ```text
//! an action    writes rows and the mail in one transaction: `enqueue`           queued   ── commit
//! the worker   leases the row, and has the secret of its link drawn             sending  ── commit
//!              renders the mail, connects, names the recipient
//!              notes that the text follows, sends it, and reads the answer      sent, failed, queued or unknown
//! ```
//!
//! A row holds the kind, the recipient, the language and the arguments of a mail, never its text or the secret of its
//! link: who reads the table, a dump of it, or the output of `medtrack mail` learns no link.
//!
//! # To send a mail
//!
//! [`enqueue`] writes the row, in the transaction of the change that the mail is about:
//!
//! ```no_run
//! # async fn action(tx: &mut sqlx::PgConnection, user: uuid::Uuid) -> sqlx::Result<()> {
//! let mail = mail::Mail {
//!     user_id: user,
//!     recipient: "amina@example.org",
//!     name: "Amina",
//!     language: mail::Language::of("fr"),
//!     content: mail::Content::PasswordReset,
//! };
//! mail::enqueue(tx, &mail).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Whether a user may have one more mail is decided before: this crate limits nothing. [`erase`] deletes the mails of a
//! user, in the transaction that deletes the user.
//!
//! # The secret of a link
//!
//! A mail whose [`Content`] has a [`Purpose`] carries a link with a secret: `PUBLIC_URL/#/verify/<secret>`. The service
//! that redeems the secret owns it: it gives the worker a function, [`DrawSecret`]. The worker calls it at each try, in
//! the transaction that leases the row. The function makes a secret, stores its hash with what [`Link`] says (the user,
//! the purpose, the recipient, and for how long the secret is valid), deletes the oldest of more than
//! [`Purpose::MOST_LIVE`] for the same user and purpose, and returns the secret; or it returns [`Drawn::Obsolete`], such
//! as for an e-mail that was verified meanwhile, and the mail is not sent.
//!
//! # What is guaranteed
//!
//! - *No mail without its change, no change without its mail*: both are rows of one transaction.
//! - *No mail is lost*: it is tried until the server accepts it or refuses its recipient for good, for three days. A worker
//!   that ends meanwhile leaves a lease, which ends.
//! - *A copy only where none can know better*: when the connection ends between the last byte of the text and the
//!   answer, the mail may have arrived. Its state is `unknown`, the try is counted (`unanswered`), and the next try has
//!   the same Message-ID, so that mailboxes may recognise the copy.
//! - *Nothing personal stays*: recipient and arguments are deleted a day after the mail was sent, the row after 30 days.

pub mod admin;
mod config;
mod content;
mod purge;
mod render;
mod store;
mod transport;
mod worker;

pub use config::MailConfig;
pub use content::{Content, Language, Link, Mail, Purpose};
pub use store::{enqueue, erase};
pub use transport::Limits;
pub use worker::{DrawSecret, Drawn, Worker};

/// The tables of this crate, for the database of each service that sends mails.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
