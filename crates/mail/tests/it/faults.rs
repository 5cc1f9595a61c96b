//! A server that refuses, stalls and cuts, at each of its answers: no mail is lost, and a copy arrives only where no answer
//! came to the text.

use crate::fixture::{Fixture, SOON};
use mail::{Content, Limits};
use std::time::Duration;
use test_support::{
    eventually,
    smtp::{Failure, Step},
};
use uuid::Uuid;

/// What became of one mail that met faults.
#[derive(Debug, PartialEq)]
struct Fate {
    arrived: usize,
    unanswered: usize,
    tries: usize,
}

async fn fate(fixture: &Fixture, id: Uuid) -> Fate {
    let number = async |column| fixture.value(id, column).await.parse().unwrap();
    let recipient = fixture.value(id, "recipient").await;
    let mails = fixture.server.mails();
    Fate {
        arrived: mails.iter().filter(|mail| mail.to == recipient).count(),
        unanswered: number("unanswered").await,
        tries: number("tries").await,
    }
}

/// Sends one mail through a server that has this fault once, and returns its id when it has reached `state`.
async fn through(fixture: &Fixture, (step, fault): (Step, Failure), state: &str) -> Uuid {
    fixture.server.fail(step, fault);
    let recipient = format!("{}@example.org", Uuid::new_v4().simple());
    let id = fixture.enqueue(&recipient, Content::PasswordReset).await;
    fixture.until(id, state).await;
    // The answer to the last command may come later than that.
    let failed = async || fixture.server.has_failed();
    eventually(SOON, &format!("{step:?} {fault:?}"), failed).await;
    id
}

#[tokio::test]
async fn a_server_that_cuts_or_stalls_at_any_answer_loses_no_mail() {
    let fixture = Fixture::new().await;
    let _running = fixture.start();
    let faults = [Failure::Cut, Failure::Stall, Failure::KeepAndCut];
    let cases = { Step::ALL.into_iter() }.flat_map(|step| faults.map(|fault| (step, fault)));
    for (step, fault) in cases {
        let id = through(&fixture, (step, fault), "sent").await;
        let (arrived, unanswered, tries) = match (step, fault) {
            (Step::Text, Failure::KeepAndCut) => (2, 1, 2),
            (Step::Text, _) => (1, 1, 2),
            // The answer to the text has come before.
            (Step::Quit, _) => (1, 0, 1),
            _ => (1, 0, 2),
        };
        let expected = Fate {
            arrived,
            unanswered,
            tries,
        };
        assert_eq!(fate(&fixture, id).await, expected, "{step:?} {fault:?}");
    }
}

#[tokio::test]
async fn a_refusal_for_now_is_tried_again_and_one_of_the_mail_for_good_is_not() {
    let fixture = Fixture::new().await;
    let _running = fixture.start();
    let cases = { Step::ALL.into_iter() }.flat_map(|step| [450, 550].map(|code| (step, code)));
    for (step, code) in cases {
        let is_final = code == 550 && matches!(step, Step::Rcpt | Step::Data | Step::Text);
        let state = if is_final { "failed" } else { "sent" };
        let id = through(&fixture, (step, Failure::Code(code)), state).await;
        let expected = Fate {
            arrived: usize::from(!is_final),
            unanswered: 0,
            tries: if is_final || step == Step::Quit { 1 } else { 2 },
        };
        assert_eq!(fate(&fixture, id).await, expected, "{step:?} {code}");
        if is_final {
            assert_eq!(fixture.value(id, "failure").await, "refused");
            let reason = fixture.value(id, "reason").await;
            let recipient = fixture.value(id, "recipient").await;
            let names = reason.contains(&recipient);
            assert!(reason.contains("550") && !names, "{reason}");
        }
    }
}

#[tokio::test]
async fn a_copy_has_the_same_message_id() {
    let fixture = Fixture::new().await;
    let _running = fixture.start();
    through(&fixture, (Step::Text, Failure::KeepAndCut), "sent").await;
    let mails = fixture.server.mails();
    let ids: Vec<_> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}

#[tokio::test]
async fn a_mail_that_may_have_arrived_is_unknown_until_the_next_try() {
    let mut fixture = Fixture::new().await;
    fixture.limits.pause = Duration::from_secs(3600);
    fixture.server.fail(Step::Text, Failure::KeepAndCut);
    let running = fixture.start();
    let id = fixture
        .enqueue("amina@example.org", Content::PasswordReset)
        .await;
    fixture.until(id, "unknown").await;
    assert_eq!(fixture.value(id, "failure").await, "unanswered");
    running.stop().await;
    assert_eq!(fixture.server.mails().len(), 1);
}

#[tokio::test]
async fn fifty_mails_through_a_bad_server_all_arrive_and_copies_are_counted() {
    let fixture = Fixture::new().await;
    let faults = [Failure::Cut, Failure::Code(451), Failure::KeepAndCut];
    for round in 0..3 {
        for (i, step) in Step::ALL.into_iter().enumerate() {
            fixture
                .server
                .fail(step, faults[(i + round) % faults.len()]);
        }
    }
    let mut ids = Vec::new();
    for i in 0..50 {
        ids.push(
            fixture
                .enqueue(&format!("u{i}@example.org"), Content::Verification)
                .await,
        );
    }
    let running = fixture.start();
    for id in ids {
        fixture.until(id, "sent").await;
    }
    running.stop().await;
    assert!(fixture.server.has_failed());
    let mails = fixture.server.mails();
    let copies = mails.len() - 50;
    let kept_without_answer = mails.iter().filter(|mail| !mail.answered).count();
    assert_eq!(copies, kept_without_answer);
    let unanswered = fixture
        .database
        .value("select sum(unanswered) from mail")
        .await;
    assert!(unanswered.parse::<usize>().unwrap() >= copies && copies > 0);
    let mut recipients: Vec<_> = mails.into_iter().map(|mail| mail.to).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 50, "lost");
}

#[tokio::test]
async fn a_worker_that_crashes_leaves_a_lease_that_ends() {
    for (step, unanswered) in [(Step::Rcpt, 0), (Step::Text, 1)] {
        let mut fixture = Fixture::new().await;
        fixture.limits = Limits {
            step: Duration::from_secs(60),
            text: Duration::from_secs(60),
            ..fixture.limits
        };
        fixture.server.fail(step, Failure::Stall);
        let id = fixture
            .enqueue("amina@example.org", Content::Verification)
            .await;
        let crashing = fixture.start();
        eventually(SOON, "the server stalls", async || {
            fixture.server.has_failed()
        })
        .await;
        fixture.until(id, "sending").await;
        if step == Step::Text {
            let noted = format!("select data_at is not null from mail where id = '{id}'");
            eventually(SOON, &noted, async || fixture.database.is(&noted).await).await;
        }
        drop(crashing);
        // No worker takes it before the lease ends.
        let running = fixture.start();
        let other = fixture
            .enqueue("other@example.org", Content::Verification)
            .await;
        fixture.until(other, "sent").await;
        assert_eq!(fixture.value(id, "state").await, "sending");
        running.stop().await;
        let end =
            format!("update mail set leased_until = now() - interval '1 second' where id = '{id}'");
        fixture.database.run(&end).await;
        let running = fixture.start();
        fixture.until(id, "sent").await;
        running.stop().await;
        let fate = fate(&fixture, id).await;
        let expected = Fate {
            arrived: 1,
            unanswered,
            tries: 2,
        };
        assert_eq!(fate, expected, "{step:?}");
    }
}
