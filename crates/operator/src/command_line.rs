//! How advice is typed where it is read: `./medtrack …` in a checkout, `docker-compose run --rm operator …` where the
//! command runs in a container.

/// How a command of the compose file ends; what stands before it names the compose files.
const RUN_OPERATOR: &str = " run --rm operator";

/// Writes commands for the person who reads them.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine {
    /// What is typed before a verb of the operator's command.
    program: String,
    /// Whether `medtrack up` started the stack on this machine; otherwise it runs in containers.
    native: bool,
}

impl CommandLine {
    /// `program` is the value of `MEDTRACK_COMMAND`, which the compose file sets.
    pub(crate) fn new(program: Option<String>, native: bool) -> Self {
        let program = program.filter(|program| !program.is_empty());
        Self {
            program: program.unwrap_or_else(|| "./medtrack".into()),
            native,
        }
    }

    /// A verb of the operator's command: `dead list`.
    pub(crate) fn operator(&self, verb: &str) -> String {
        format!("{} {verb}", self.program)
    }

    /// Whether the command runs in a container that the compose file describes.
    pub(crate) fn is_in_container(&self) -> bool {
        self.program.ends_with(RUN_OPERATOR)
    }

    /// What starts the stack.
    pub(crate) fn start(&self) -> String {
        match self.program.strip_suffix(RUN_OPERATOR) {
            Some(compose) => format!("{compose} up -d"),
            None => format!("{} up --detach", self.program),
        }
    }

    /// What restarts a unit of `medtrack ps`, such as `comm-consumer`.
    pub(crate) fn restart(&self, unit: &str) -> String {
        self.control("restart", unit)
    }

    /// What stops a unit.
    pub(crate) fn stop(&self, unit: &str) -> String {
        self.control("stop", unit)
    }

    /// What shows the last lines of a unit's log.
    pub(crate) fn logs(&self, unit: &str) -> String {
        if self.native {
            return self.operator(&format!("logs {unit}"));
        }
        format!("docker logs --tail 200 {}", container(unit))
    }

    /// What starts more consumers of a service, by its short name.
    pub(crate) fn scale(&self, service: &str) -> String {
        if self.native {
            return self.operator(&format!("up --detach --scale {service}-consumer=3"));
        }
        format!(
            "{} --profile scale up -d --scale {service}-extra=2 {service}-extra",
            self.compose()
        )
    }

    /// What shows the lines of the logs that contain an id.
    pub(crate) fn logs_with(&self, id: &str) -> String {
        if self.native {
            return self.operator(&format!("logs --grep {id}"));
        }
        format!("{} logs --no-color | grep {id}", self.compose())
    }

    /// What ends a session of a service's database.
    pub(crate) fn end_session(&self, service: &str, pid: i32) -> String {
        let end = format!("select pg_terminate_backend({pid})");
        if self.native {
            let variable = format!("{}_DATABASE_URL", service.to_uppercase());
            return format!(". .medtrack/env; psql \"${variable}\" -c '{end}'");
        }
        format!("docker exec postgres psql -U postgres -c '{end}'")
    }

    fn control(&self, verb: &str, unit: &str) -> String {
        if self.native {
            return self.operator(&format!("{verb} {unit}"));
        }
        format!("{} {verb} {}", self.compose(), container(unit))
    }

    fn compose(&self) -> &str {
        let compose = self.program.strip_suffix(RUN_OPERATOR);
        compose.unwrap_or("docker-compose")
    }
}

/// The container of a unit: that of `comm-consumer` is `comm-service-consumer`.
fn container(unit: &str) -> String {
    match unit.strip_suffix("-consumer") {
        Some(service) => format!("{service}-service-consumer"),
        None => unit.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_checkout_the_launcher_restarts_units() {
        let line = CommandLine::new(None, true);
        assert_eq!(line.operator("dead list"), "./medtrack dead list");
        assert_eq!(
            line.restart("comm-consumer"),
            "./medtrack restart comm-consumer"
        );
        assert_eq!(line.start(), "./medtrack up --detach");
    }

    #[test]
    fn in_a_container_compose_does_with_the_same_files() {
        let compose = "docker-compose -f docker-compose.yml -f docker-compose.production.yml";
        let line = CommandLine::new(Some(format!("{compose} run --rm operator")), false);
        assert_eq!(
            line.operator("dead list"),
            format!("{compose} run --rm operator dead list")
        );
        assert_eq!(
            line.restart("comm-consumer"),
            format!("{compose} restart comm-service-consumer")
        );
        assert_eq!(line.stop("rabbitmq"), format!("{compose} stop rabbitmq"));
        assert_eq!(line.start(), format!("{compose} up -d"));
    }
}
