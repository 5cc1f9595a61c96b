//! The mails, as an operator sees them.

use crate::{
    SOON,
    findings::{Seen, assert_documented, findings},
    json_of, medtrack, said, text,
};
use events::Role;
use test_support::{
    SmtpServer, Stack, Unit, User, eventually,
    smtp::{Failure, KeptMail, Step},
    stack::Links,
};
use uuid::Uuid;

async fn stack(server: &SmtpServer) -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.set("MAIL_URL", format!("smtp://{}", server.address));
    stack.start_units(&[Unit::Auth]).await;
    stack
}

/// Registers a user, and forgets the mail of the registration.
async fn registered(stack: &Stack) -> User {
    let user = stack.client.register(Role::Student).await;
    let is_sent = "exists (select from mail where state = 'sent')";
    eventually(SOON, "the mail of the registration", async || {
        stack.auth.is(is_sent).await
    })
    .await;
    stack.auth.run("delete from mail").await;
    user
}

/// The mails that let a user set a password, in the order in which they came.
fn resets(server: &SmtpServer) -> Vec<KeptMail> {
    let mut mails = server.mails();
    mails.retain(|mail| mail.text.contains("/#/reset/"));
    mails
}

/// Writes a mail with a link, as an action of auth-service does.
async fn enqueue(stack: &Stack, user: &User) -> Uuid {
    let id = Uuid::now_v7();
    stack
        .auth
        .run(&format!(
            "insert into mail (id, user_id, kind, recipient, language, arguments)
             values ('{id}', '{}', 'password_reset', '{}', 'en', '{{\"name\": \"Zoubida\", \"kind\": \"password_reset\"}}')",
            user.user_id, user.email
        ))
        .await;
    id
}

async fn until(stack: &Stack, id: Uuid, condition: &str) {
    let is = format!("select {condition} from mail where id = '{id}'");
    eventually(SOON, &is, async || stack.auth.is(&is).await).await;
}

fn secret_of(text: &str) -> String {
    let text = text.replace("=\r\n", "").replace("=3D", "=");
    let (_, secret) = text.split_once("/#/reset/").expect("the mail has a link");
    { secret.chars() }
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect()
}

#[tokio::test]
async fn an_operator_sees_what_became_of_mails_and_never_a_link() {
    let server = SmtpServer::start().await;
    let stack = stack(&server).await;
    let user = registered(&stack).await;
    server.fail(Step::Rcpt, Failure::Code(550));
    let refused = enqueue(&stack, &user).await;
    until(&stack, refused, "state = 'failed'").await;
    let sent = enqueue(&stack, &user).await;
    until(&stack, sent, "state = 'sent'").await;

    let list = json_of(&stack, "mail list --state failed --json").await;
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list[0]["id"], refused.to_string());
    let of_user = json_of(
        &stack,
        &format!("mail --to {} --json", user.email.to_uppercase()),
    )
    .await;
    assert_eq!(of_user.as_array().map(Vec::len), Some(2), "{of_user}");
    let shown = said(&stack, &format!("mail show {refused}")).await;
    for part in [
        "password_reset (en)",
        "failed",
        "it refused the mail",
        "550",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let secret = secret_of(&resets(&server)[0].text);
    let printed = [
        shown,
        said(&stack, &format!("mail show {sent} --json")).await,
        said(&stack, "mail list").await,
        said(&stack, "mail list --json").await,
    ];
    for text in printed {
        for hidden in [secret.as_str(), user.email.as_str(), "Zoubida", "/#/"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
}

#[tokio::test]
async fn a_mail_that_is_resent_has_a_new_secret_and_another_message_id() {
    let server = SmtpServer::start().await;
    let stack = stack(&server).await;
    let user = registered(&stack).await;
    let id = enqueue(&stack, &user).await;
    until(&stack, id, "state = 'sent'").await;
    said(&stack, &format!("mail resend {id}")).await;
    until(
        &stack,
        id,
        "state = 'sent' and resends = 1 and resent_by = 'amina'",
    )
    .await;
    let mails = resets(&server);
    let [first, second] = &mails[..] else {
        panic!("two mails: {mails:?}")
    };
    assert_ne!(secret_of(&first.text), secret_of(&second.text));
    assert_ne!(first.header("Message-ID"), second.header("Message-ID"));
    assert_eq!(
        stack
            .auth
            .count("users_link_secret where purpose = 'reset'")
            .await,
        2
    );
    assert!(
        said(&stack, &format!("mail show {id}"))
            .await
            .contains("by amina")
    );
}

#[tokio::test]
async fn what_cannot_be_resent_is_refused_with_the_reason() {
    let server = SmtpServer::start().await;
    let stack = stack(&server).await;
    let user = registered(&stack).await;
    server.fail(Step::Data, Failure::Hold);
    let id = enqueue(&stack, &user).await;
    eventually(SOON, "it is being sent", async || server.has_failed()).await;
    let refusal = async |id: Uuid| {
        let output = medtrack(&stack, &format!("mail resend {id}")).await;
        assert!(!output.status.success());
        text(&output)
    };
    let said = refusal(id).await;
    assert!(said.contains("it is being sent at the moment"), "{said}");
    server.release();
    until(&stack, id, "state = 'sent'").await;
    let blank = format!("update mail set recipient = null, arguments = null where id = '{id}'");
    stack.auth.run(&blank).await;
    let said = refusal(id).await;
    assert!(said.contains("its recipient was deleted"), "{said}");
    let said = refusal(Uuid::now_v7()).await;
    assert!(said.contains("no mail has this id"), "{said}");
    assert_eq!(resets(&server).len(), 1);
}

#[tokio::test]
async fn the_operators_login_reads_no_argument_of_a_mail() {
    let stack = Stack::prepare(Links::Direct).await;
    let operator = sqlx::PgPool::connect_lazy(&stack.auth.operator_url).unwrap();
    let reads = async |statement: &'static str| sqlx::raw_sql(statement).execute(&operator).await;
    reads("select recipient, state from mail").await.unwrap();
    for refused in [
        "select arguments from mail",
        "update mail set recipient = 'x'",
        "update mail set arguments = '{}'",
        "delete from mail",
        "select secret_hash from users_link_secret",
    ] {
        let error = reads(refused).await.unwrap_err();
        assert!(
            error.to_string().contains("permission denied"),
            "{refused}: {error}"
        );
    }
}

#[tokio::test]
async fn the_doctor_tells_of_mails_that_wait_and_of_mails_that_failed() {
    let stack = Stack::start().await;
    let user = stack.client.register(Role::Student).await;
    // No MAIL_URL is set here.
    let id = enqueue(&stack, &user).await;
    let is_reported = async |id: &str| findings(&stack).await.get(id).is_some();
    let printed = async || Seen::read(&text(&medtrack(&stack, "doctor").await));
    assert!(!is_reported("mails_waiting").await);
    let age = format!(
        "update mail set due_at = now() - interval '1 hour', created_at = now() - interval '1 hour' where id = '{id}'"
    );
    stack.auth.run(&age).await;
    assert!(is_reported("mails_waiting").await);
    assert_documented("mails that no process sends", &printed().await);
    let retried = format!(
        "update mail set tries = 6, failure = 'set_up', due_at = now() + interval '1 hour' where id = '{id}'"
    );
    stack.auth.run(&retried).await;
    assert_documented("a mail server that takes no mails", &printed().await);
    let failed = format!(
        "update mail set state = 'failed', failure = 'refused', finished_at = now() where id = '{id}'"
    );
    stack.auth.run(&failed).await;
    assert!(is_reported("mails_failed").await);
    let seen = printed().await;
    assert_documented("a mail that the mail server refuses", &seen);
    let [list] = &seen.commands[..] else {
        panic!("one command lists them: {:?}", seen.commands)
    };
    let list = said(&stack, list.trim_start_matches("./medtrack ")).await;
    assert!(list.contains(&id.to_string()), "{list}");
    stack
        .auth
        .run(&format!(
            "update mail set failure = 'obsolete' where id = '{id}'"
        ))
        .await;
    assert!(!is_reported("mails_failed").await);
}
