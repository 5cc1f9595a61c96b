//! `medtrack demo`: a student and an encadrant register, and each hop is printed with its time.

use super::{text, trace};
use crate::{demo, endpoints::Endpoints};
use events::Role;

/// What the original document says about the speed of its system.
const ORIGINAL: &str = "(the original system: published after 2–5 ms, profile after 50–100 ms more, notification after \
                        50–100 ms more, 100–200 ms in all)";

pub(super) async fn run(endpoints: &Endpoints) -> anyhow::Result<()> {
    for (who, role) in [
        ("A student", Role::Student),
        ("An encadrant", Role::Encadrant),
    ] {
        let user = demo::register(endpoints, role).await?;
        let registered = format!(
            "{who} registers as {}: 201 after {} ms, most of it the password's hash.",
            user.email,
            user.duration.as_millis()
        );
        say!("{}\n", text::wrap(&registered, text::WIDTH));
        let inbox = demo::inbox(endpoints, &user.access_token).await?;
        // The times of the trace are those of the databases: when each row was written.
        for chain in crate::trace::find(endpoints, &user.user_id).await?.chains {
            trace::print_chain(&chain);
        }
        for notification in inbox {
            let words = format!("{}: {}", notification.title, notification.content);
            say!("{}", text::hanging("  ", &text::line(&words), text::WIDTH));
        }
        say!("");
    }
    say!("{}", text::wrap(ORIGINAL, text::WIDTH));
    let line = &endpoints.command_line;
    let demo = line.operator("demo");
    say!(
        "\nin another terminal, to see the events pass:\n    {}",
        line.operator("watch")
    );
    say!("to see how a stopped consumer is noticed, and what it then catches up with:");
    for step in [
        line.stop("comm-consumer"),
        demo,
        line.operator("doctor"),
        line.restart("comm-consumer"),
    ] {
        say!("    {step}");
    }
    say!("for times on an idle machine:\n    ./medtrack bench");
    Ok(())
}
