//! `medtrack demo`: a student and an encadrant register, and each hop is printed with its time.

use super::trace;
use crate::{demo, endpoints::Endpoints};
use events::Role;

/// What the original document says about the speed of its system.
const ORIGINAL: &str = "the original system: published after 2–5 ms, profile after 50–100 ms more, notification after \
                        50–100 ms more, 100–200 ms in all";

pub(super) async fn run(endpoints: &Endpoints) -> anyhow::Result<()> {
    for (who, role) in [
        ("A student", Role::Student),
        ("An encadrant", Role::Encadrant),
    ] {
        let user = demo::register(endpoints, role).await?;
        say!(
            "{who} registers as {}: 201 after {} ms, most of it the password's hash.",
            user.email,
            user.duration.as_millis()
        );
        let inbox = demo::inbox(endpoints, &user.access_token).await?;
        // The times of the trace are those of the databases: when each row was written.
        for chain in crate::trace::find(endpoints, &user.user_id).await?.chains {
            trace::print_chain(&chain);
        }
        for notification in inbox {
            say!("  {}: {}", notification.title, notification.content);
        }
        say!("");
    }
    say!("({ORIGINAL})");
    let line = &endpoints.command_line;
    let demo = line.operator("demo");
    say!(
        "\ntry: {}, in another terminal, and {demo} again; {}, {demo},",
        line.operator("watch"),
        line.stop("comm-consumer")
    );
    say!(
        "     {}, {}; ./medtrack bench, for times on an idle machine",
        line.operator("doctor"),
        line.restart("comm-consumer")
    );
    Ok(())
}
