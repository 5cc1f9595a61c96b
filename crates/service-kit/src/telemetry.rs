//! Log lines on standard output: `<time> <LEVEL> <text> <fields>`.

use crate::config::{LogConfig, LogFormat};
use anyhow::Context as _;
use std::{fmt, io::IsTerminal as _};
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
    let filter = format!("{},lapin=off", config.log_level);
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("LOG_LEVEL: {:?} is no filter; try: info", config.log_level))?;
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour);
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
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
