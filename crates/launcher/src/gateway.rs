//! The gateway: Caddy, with `deploy/Caddyfile`.

use crate::{command_spec::CommandSpec, ports::Ports, workspace::Workspace};

pub(crate) fn program(workspace: &Workspace, ports: &Ports) -> CommandSpec {
    let upstream = |unit: &str| format!("127.0.0.1:{}", ports[unit]);
    CommandSpec::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(workspace.repository.join("deploy/Caddyfile"))
        .env("GATEWAY_PORT", ports["gateway"].to_string())
        .env("GATEWAY_BIND", "127.0.0.1")
        .env("AUTH_UPSTREAM", upstream("auth-service"))
        .env("PROFILE_UPSTREAM", upstream("profile-service"))
        .env("COMM_UPSTREAM", upstream("comm-service"))
        // Without these, Caddy writes into the home directory of the user.
        .env("HOME", workspace.path("caddy"))
        .env("XDG_DATA_HOME", workspace.path("caddy"))
        .env("XDG_CONFIG_HOME", workspace.path("caddy"))
        .kill_with_parent()
}
