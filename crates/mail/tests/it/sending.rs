//! What arrives, and what becomes of the row.

use crate::fixture::{Fixture, SOON, config, mail_to};
use mail::{Content, Language, Mail};
use std::os::unix::fs::PermissionsExt as _;
use test_support::{SmtpServer, eventually, smtp::Encryption};
use uuid::Uuid;

#[tokio::test]
async fn a_mail_arrives_once_with_what_a_mail_needs() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let id = fixture
        .enqueue("amina@example.org", Content::PasswordReset)
        .await;
    fixture.until(id, "sent").await;
    running.stop().await;
    let mails = fixture.server.mails();
    let [mail] = &mails[..] else {
        panic!("one mail: {mails:?}")
    };
    assert_eq!(mail.from, "no-reply@medtrack.example");
    assert_eq!(mail.to, "amina@example.org");
    // NUL sender NUL p@ss
    assert_eq!(mail.login.as_deref(), Some("AHNlbmRlcgBwQHNz"));
    assert_eq!(mail.header("To"), "amina@example.org");
    assert_eq!(mail.header("From"), "MedTrack <no-reply@medtrack.example>");
    assert_eq!(mail.header("Subject"), "Set a new password");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert_eq!(mail.header("Content-Language"), "en");
    assert!(mail.header("Message-ID").ends_with("@medtrack.example>"));
    assert!(
        mail.header("Content-Type")
            .starts_with("multipart/alternative")
    );
    assert!(mail.text.is_ascii(), "{}", mail.text);
    for (column, value) in [
        ("tries", "1"),
        ("unanswered", "0"),
        ("failure", "null"),
        ("finished_at is not null", "true"),
    ] {
        assert_eq!(fixture.value(id, column).await, value, "{column}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_sends_no_mail() {
    let fixture = Fixture::new().await;
    let mut tx = fixture.database.pool.begin().await.unwrap();
    let mail = mail_to("lost@example.org", Content::Verification);
    mail::enqueue(&mut tx, &mail).await.unwrap();
    tx.rollback().await.unwrap();
    let running = fixture.start();
    let id = fixture
        .enqueue("kept@example.org", Content::Verification)
        .await;
    fixture.until(id, "sent").await;
    running.stop().await;
    let recipients: Vec<_> = fixture
        .server
        .mails()
        .into_iter()
        .map(|mail| mail.to)
        .collect();
    assert_eq!(recipients, ["kept@example.org"]);
}

#[tokio::test]
async fn two_workers_send_each_mail_once() {
    let fixture = Fixture::new().await;
    let mut ids = Vec::new();
    for i in 0..40 {
        ids.push(
            fixture
                .enqueue(&format!("u{i}@example.org"), Content::Verification)
                .await,
        );
    }
    let running = [fixture.start(), fixture.start()];
    for id in ids {
        fixture.until(id, "sent").await;
    }
    for running in running {
        running.stop().await;
    }
    let mut recipients: Vec<_> = fixture
        .server
        .mails()
        .into_iter()
        .map(|mail| mail.to)
        .collect();
    assert_eq!(recipients.len(), 40);
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 40);
}

#[tokio::test]
async fn a_server_may_encrypt_from_the_first_byte() {
    let server = SmtpServer::encrypted(Encryption::Implicit).await;
    let url = format!("smtps://sender:secret@localhost:{}", server.address.port());
    let fixture = Fixture::with(server, &url).await;
    let _running = fixture.start();
    let id = fixture
        .enqueue("amina@example.org", Content::Verification)
        .await;
    fixture.until(id, "sent").await;
}

#[tokio::test]
async fn a_password_is_not_sent_without_encryption() {
    let server = SmtpServer::start().await;
    let url = format!("smtp://sender:secret@{}", server.address);
    let fixture = Fixture::with(server, &url).await;
    let _running = fixture.start();
    let id = fixture
        .enqueue("amina@example.org", Content::Verification)
        .await;
    let tried = async || fixture.value(id, "failure").await == "set_up";
    eventually(SOON, "it is tried", tried).await;
    assert_eq!(fixture.server.mails().len(), 0);
}

#[tokio::test]
async fn a_server_with_the_certificate_of_a_stranger_gets_nothing() {
    let server = SmtpServer::encrypted(Encryption::StartTls).await;
    let mut config = config(&format!("smtp://{}", server.address));
    config.tls_ca_file = None;
    let fixture = Fixture::with(server, "none").await.configured(config);
    let _running = fixture.start();
    let id = fixture
        .enqueue("amina@example.org", Content::Verification)
        .await;
    let tried = async || fixture.value(id, "failure").await == "unreachable";
    eventually(SOON, "it is tried", tried).await;
    assert_eq!(fixture.server.mails().len(), 0);
}

#[tokio::test]
async fn a_hostile_name_or_recipient_adds_no_header_and_no_recipient() {
    let fixture = Fixture::new().await;
    let hostile = "x\r\nBcc: evil@example.org\r\n\r\n<script>";
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let named = Mail {
        name: hostile,
        language: Language::French,
        ..mail_to("amina@example.org", Content::Verification)
    };
    let named = mail::enqueue(&mut connection, &named).await.unwrap();
    let device = Content::NewDevice {
        device: hostile.to_owned(),
        at: "2026-11-26T14:05:09Z".parse().unwrap(),
    };
    let device = mail::enqueue(&mut connection, &mail_to("amina@example.org", device))
        .await
        .unwrap();
    let recipient = mail_to(
        "amina@example.org\r\nBcc: evil@example.org",
        Content::Verification,
    );
    let recipient = mail::enqueue(&mut connection, &recipient).await.unwrap();
    let _running = fixture.start();
    fixture.until(named, "sent").await;
    fixture.until(device, "sent").await;
    fixture.until(recipient, "failed").await;
    assert_eq!(fixture.value(recipient, "failure").await, "not_rendered");
    let mails = fixture.server.mails();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert_eq!(mail.to, "amina@example.org");
        for hidden in ["\r\nBcc:", "<script>"] {
            assert!(!mail.text.contains(hidden), "{}", mail.text);
        }
    }
}

#[tokio::test]
async fn without_an_address_mails_wait_and_with_none_they_fail() {
    let server = SmtpServer::start().await;
    let fixture = Fixture::with(server, "").await;
    let id = fixture
        .enqueue("amina@example.org", Content::Verification)
        .await;
    let old = fixture
        .enqueue("old@example.org", Content::Verification)
        .await;
    let age = format!("update mail set created_at = now() - interval '31 days' where id = '{old}'");
    fixture.database.run(&age).await;
    let waiting = fixture.start();
    // A round of the worker looks for mails that are due, and then deletes old rows.
    eventually(SOON, "the old row is deleted", async || {
        fixture
            .database
            .count(&format!("mail where id = '{old}'"))
            .await
            == 0
    })
    .await;
    assert_eq!(fixture.value(id, "state").await, "queued");
    assert_eq!(fixture.value(id, "tries").await, "0");
    waiting.stop().await;
    let fixture = fixture.configured(config("none"));
    let _running = fixture.start();
    fixture.until(id, "failed").await;
    assert_eq!(fixture.value(id, "failure").await, "off");
}

#[tokio::test]
async fn for_development_mails_are_files_that_only_their_owner_reads() {
    let dir = std::env::temp_dir().join(format!("medtrack-mail-{}", Uuid::new_v4()));
    let url = format!("file://{}", dir.display());
    let fixture = Fixture::with(SmtpServer::start().await, &url).await;
    let _running = fixture.start();
    let id = fixture
        .enqueue("amina@example.org", Content::Verification)
        .await;
    fixture.until(id, "sent").await;
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().flatten().collect();
    let [file] = &files[..] else {
        panic!("one file: {files:?}")
    };
    let name = file.file_name().into_string().unwrap();
    assert!(name.ends_with(&format!("-verification-{id}.eml")), "{name}");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&file.path())), (0o700, 0o600));
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert!(
        text.contains("Subject: Confirm your e-mail address"),
        "{text}"
    );
    std::fs::remove_dir_all(dir).unwrap();
}
