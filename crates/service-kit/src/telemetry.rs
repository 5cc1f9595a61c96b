//! Log lines on standard output: `<time> <LEVEL> <text> <fields>`.

use crate::config::{LogConfig, LogFormat};
use anyhow::Context as _;
use std::{borrow::Cow, fmt, io::IsTerminal as _};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// Starts logging. Call it once.
///
/// # Errors
/// When the filter is malformed.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    // lapin reports what its caller reports again, better.
    let filter = format!("lapin=off,{}", config.log_level);
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("LOG_LEVEL: {:?} is no filter; try: info", config.log_level))?;
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour);
    let result = match config.log_format {
        LogFormat::Text => builder.event_format(Line).try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
    };
    result.map_err(|error| anyhow::anyhow!("logging was started twice: {error}"))
}

/// The text form. The stock formatter pads the level, and `grep "INFO Published event"` is contract.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let level = event.metadata().level();
        if writer.has_ansi_escapes() {
            let colour = match *level {
                Level::ERROR => 31,
                Level::WARN => 33,
                Level::INFO => 32,
                _ => 34,
            };
            write!(writer, " \x1b[{colour}m{level}\x1b[0m ")?;
        } else {
            write!(writer, " {level} ")?;
        }
        let mut fields = String::new();
        context
            .field_format()
            .format_fields(Writer::new(&mut fields), event)?;
        writeln!(writer, "{}", one_line(&fields))
    }
}

/// A line break in a value, such as a routing key, must not begin a line that passes for one of ours.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        text.replace('\n', "\\n").replace('\r', "\\r").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_reads_as_the_contract_says_and_an_event_is_one_line() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Line)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(event_id = 7, "Published event: {}", "student.created");
            tracing::warn!(key = %"x\r\n2026 INFO forged", "No handler for routing key: {}", "y\nERROR forged");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split_once(' ').unwrap().1)
            .collect();
        assert_eq!(
            lines,
            [
                "INFO Published event: student.created event_id=7",
                r"WARN No handler for routing key: y\nERROR forged key=x\r\n2026 INFO forged",
            ]
        );
    }
}
