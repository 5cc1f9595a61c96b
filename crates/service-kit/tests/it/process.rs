//! One start and one stop for every role: this test binary starts itself, in a role.

use clap::{CommandFactory as _, Parser};
use secrecy::ExposeSecret as _;
use service_kit::{
    Process,
    config::{DatabaseConfig, LogConfig},
    run,
};
use std::{future::pending, process::ExitCode, time::Duration};

const SOON: Duration = Duration::from_secs(5);

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Cli {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    log: LogConfig,
}

/// The role of a child process; not a test by itself.
#[test]
#[ignore = "the other tests start it"]
fn child() {
    let role = std::env::var("ROLE").unwrap();
    let config = Cli::parse_from::<_, &str>([]);
    let code = run(&config.log, async |process: Process| {
        let stopping = process.stopping();
        match role.as_str() {
            "ends" => return Ok(()),
            "fails" => anyhow::bail!("no good"),
            "shows" => {
                tracing::info!(
                    "{config:?} {}",
                    config
                        .database
                        .database_url
                        .as_ref()
                        .unwrap()
                        .expose_secret()
                        .len()
                );
                tracing::info!("{}", Cli::command().render_long_help());
                return Ok(());
            }
            "task ends" => process.spawn("relay", async { Ok(()) }),
            "task fails" => process.spawn("relay", async { anyhow::bail!("no good") }),
            "task panics" => process.spawn("relay", async { panic!("no good") }),
            "finishes" => {
                let stopping = process.stopping();
                process.spawn("relay", async move {
                    stopping.cancelled().await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    tracing::info!("finished what was in hand");
                    Ok(())
                });
            }
            "hands work over" => {
                let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
                let (stopping, finishing) = (process.stopping(), process.finishing());
                process.spawn("consumer", async move {
                    stopping.cancelled().await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    sender.send("the last event").await?;
                    Ok(())
                });
                process.spawn_last("relay", async move {
                    finishing.cancelled().await;
                    tracing::info!("published: {:?}", receiver.try_recv());
                    Ok(())
                });
            }
            "never finishes" => process.spawn("relay", pending()),
            other => panic!("{other}"),
        }
        tracing::info!("running");
        stopping.cancelled().await;
        Ok(())
    });
    assert_eq!(code, ExitCode::SUCCESS);
}

fn start(role: &str) -> test_support::Process {
    let this = std::env::current_exe().unwrap();
    let arguments = ["process::child", "--exact", "--ignored", "--nocapture"];
    let environment = [
        ("ROLE", role.to_owned()),
        (
            "DATABASE_URL",
            "postgres://u:hunter22@127.0.0.1/d".to_owned(),
        ),
    ];
    test_support::Process::start(this.to_str().unwrap(), &arguments, &environment)
}

#[tokio::test]
async fn a_role_that_ends_ends_the_process_and_its_error_fails_it() {
    assert!(start("ends").exit(SOON).await.success());
    let mut process = start("fails");
    assert!(!process.exit(SOON).await.success());
    process.line("ERROR Stopped: no good").await;
}

#[tokio::test]
async fn a_task_that_dies_stops_the_process_and_fails_it() {
    for (role, cause) in [
        ("task ends", "it ended by itself"),
        ("task fails", "no good"),
        ("task panics", "it panicked"),
    ] {
        let mut process = start(role);
        assert!(!process.exit(SOON).await.success(), "{role}");
        process
            .line(&format!(
                "ERROR Stopping, because the task \"relay\" failed: {cause}"
            ))
            .await;
    }
}

#[tokio::test]
async fn a_task_that_takes_work_from_others_stops_after_they_have_ended() {
    let mut process = start("hands work over");
    process.line("INFO running").await;
    assert!(process.stop(SOON).await.success());
    process.line("published: Ok(\"the last event\")").await;
}

#[tokio::test]
async fn a_process_that_stops_finishes_the_work_in_hand() {
    for signal in [
        nix::sys::signal::Signal::SIGTERM,
        nix::sys::signal::Signal::SIGINT,
    ] {
        let mut process = start("finishes");
        process.line("INFO running").await;
        process.signal(signal);
        assert!(process.exit(SOON).await.success());
        process.line("INFO finished what was in hand").await;
    }
}

#[tokio::test]
async fn what_does_not_finish_is_cancelled_within_fifteen_seconds() {
    let mut process = start("never finishes");
    process.line("INFO running").await;
    process.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(!process.exit(Duration::from_secs(15)).await.success());
    process
        .line("ERROR Stopped: the work in hand took longer than 10 s")
        .await;
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    use nix::sys::signal::Signal::{SIGINT, SIGTERM};
    for (first, second) in [(SIGTERM, SIGTERM), (SIGTERM, SIGINT), (SIGINT, SIGTERM)] {
        let mut process = start("never finishes");
        process.line("INFO running").await;
        process.signal(first);
        process.line("INFO Stopping").await;
        process.signal(second);
        let status = process.exit(Duration::from_secs(2)).await;
        assert_eq!(status.code(), Some(1), "{first} {second}");
        process
            .line("ERROR Stopped at once, because a second signal came")
            .await;
    }
}

#[tokio::test]
async fn neither_the_log_nor_the_help_shows_a_secret() {
    let mut process = start("shows");
    assert!(process.exit(SOON).await.success());
    process.line("DATABASE_URL").await;
    assert_eq!(process.count_lines("hunter22"), 0);
}
