//! The gateway: Caddy, with `deploy/Caddyfile`.

use crate::{command_spec::CommandSpec, ports::Ports, workspace::Workspace};
use events::topology::SERVICES;

pub(crate) fn program(workspace: &Workspace, ports: &Ports) -> CommandSpec {
    let mut caddy = CommandSpec::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(workspace.repository.join("deploy/Caddyfile"))
        .env("GATEWAY_PORT", ports["gateway"].to_string())
        .env("GATEWAY_BIND", "127.0.0.1")
        .env("GATEWAY_WEB", workspace.repository.join("web"))
        // Without these, Caddy writes into the home directory of the user.
        .env("HOME", workspace.path("caddy"))
        .env("XDG_DATA_HOME", workspace.path("caddy"))
        .env("XDG_CONFIG_HOME", workspace.path("caddy"));
    for service in SERVICES {
        let variable = format!("{}_UPSTREAM", service.short.to_uppercase());
        caddy = caddy.env(&variable, format!("127.0.0.1:{}", ports[service.name]));
    }
    caddy.kill_with_parent()
}
