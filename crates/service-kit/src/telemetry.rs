//! Log lines on standard output, as text (`<time> <LEVEL> <text> <fields>`) or as JSON. A line inside a span also
//! has the fields of the span, so that a line does not repeat ids such as `request_id` or `event_id` itself.

use crate::{
    config::{LogConfig, LogFormat},
    terminal::{acts_on, escaped, in_json},
};
use anyhow::Context as _;
use serde_json::Value;
use std::{fmt, io::IsTerminal as _};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Starts logging. Call it once.
///
/// # Errors
/// When the filter is malformed.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    // lapin reports errors that its caller reports too, with less detail.
    let filter = format!("lapin=off,{}", config.log_level);
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("LOG_LEVEL: {:?} is no filter; try: info", config.log_level))?;
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let registry = tracing_subscriber::registry().with(filter).with(SpanFields);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colour)
        .event_format(Line(config.log_format));
    let result = registry.with(lines).try_init();
    result.map_err(|error| anyhow::anyhow!("logging was started twice: {error}"))
}

/// The fields of a span or of an event, in the order in which they were recorded.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value, Style)>);

/// How the text form writes a value.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Quoted,
}

impl Fields {
    fn push(&mut self, field: &Field, value: impl Into<Value>, style: Style) {
        self.0.retain(|(name, ..)| *name != field.name());
        self.0.push((field.name(), value.into(), style));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"), Style::Plain);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value, Style::Quoted);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value, Style::Plain);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value, Style::Plain);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value, Style::Plain);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value, Style::Plain);
    }
}

/// Keeps the fields of each span for the lines inside it.
struct SpanFields;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanFields {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }
}

/// The fields of the spans around an event, the innermost first. A name that the event or an inner span has is
/// left out.
fn span_fields<S, N>(context: &FmtContext<'_, S, N>, event: &Event<'_>) -> Fields
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let mut all = Fields::default();
    for span in context.event_scope().into_iter().flatten() {
        let extensions = span.extensions();
        for (name, value, style) in extensions.get::<Fields>().into_iter().flat_map(|f| &f.0) {
            let is_new = event.metadata().fields().field(name).is_none()
                && all.0.iter().all(|(existing, ..)| existing != name);
            if is_new {
                all.0.push((name, value.clone(), *style));
            }
        }
    }
    all
}

/// The form of a line.
struct Line(LogFormat);

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
        let spans = span_fields(context, event);
        match self.0 {
            LogFormat::Text => {
                let mut fields = String::new();
                context
                    .field_format()
                    .format_fields(Writer::new(&mut fields), event)?;
                write_text(&mut writer, *event.metadata().level(), fields, spans)
            }
            LogFormat::Json => write_json(&mut writer, event, spans),
        }
    }
}

/// Writes the text form. The stock formatter pads the level, and `grep "INFO Published event"` is contract.
fn write_text(
    writer: &mut Writer<'_>,
    level: Level,
    mut line: String,
    spans: Fields,
) -> fmt::Result {
    SystemTime.format_time(writer)?;
    if writer.has_ansi_escapes() {
        let colour = match level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            _ => 34,
        };
        write!(writer, " \x1b[{colour}m{level}\x1b[0m ")?;
    } else {
        write!(writer, " {level} ")?;
    }
    for (name, value, style) in spans.0 {
        line += &match value.as_str().filter(|_| style == Style::Plain) {
            Some(plain) => format!(" {name}={plain}"),
            None => format!(" {name}={value}"),
        };
    }
    // A line break in a value, such as a routing key, must not begin a line that passes for one of ours.
    writeln!(
        writer,
        "{}",
        escaped(&line, acts_on, |c, into| into.extend(c.escape_default()))
    )
}

/// Writes the JSON form: one flat object with `timestamp`, `level`, `message` and the fields.
fn write_json(writer: &mut Writer<'_>, event: &Event<'_>, spans: Fields) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let level = event.metadata().level();
    write!(writer, r#"{{"timestamp":"{time}","level":"{level}""#)?;
    let mut fields = Fields::default();
    event.record(&mut fields);
    fields.0.extend(spans.0);
    for (name, value, _) in fields.0 {
        let json = value.to_string();
        let value = escaped(&json, acts_on, in_json);
        write!(writer, ",{}:{value}", Value::from(name))?;
    }
    writeln!(writer, "}}")
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

    /// Returns the lines that are written while `work` runs.
    fn written(format: LogFormat, work: impl FnOnce()) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Line(format));
        let subscriber = tracing_subscriber::registry().with(SpanFields).with(lines);
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn without_time(line: &str) -> &str {
        line.split_once(' ').unwrap().1
    }

    #[test]
    fn a_line_reads_as_the_contract_says_and_an_event_is_one_line() {
        let lines = written(LogFormat::Text, || {
            tracing::info!(event_id = 7, "Published event: {}", "student.created");
            tracing::warn!(key = %"x\r\n2026 INFO forged", "No handler for routing key: {}", "y\nERROR forged");
        });
        let lines: Vec<_> = lines.iter().map(|line| without_time(line)).collect();
        assert_eq!(
            lines,
            [
                "INFO Published event: student.created event_id=7",
                r"WARN No handler for routing key: y\nERROR forged key=x\r\n2026 INFO forged",
            ]
        );
    }

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        let hostile = "a\x1b[31m\u{9b}1m\u{202e}\u{2066}é";
        let lines = |format| {
            written(format, || {
                tracing::error_span!("event", routing_key = hostile)
                    .in_scope(|| tracing::info!("No handler for {hostile}"));
            })
        };
        let text = &lines(LogFormat::Text)[0];
        assert!(
            !text.contains(['\x1b', '\u{9b}', '\u{202e}', '\u{2066}']),
            "{text:?}"
        );
        let json = &lines(LogFormat::Json)[0];
        assert!(
            !json.contains(['\x1b', '\u{9b}', '\u{202e}', '\u{2066}']),
            "{json:?}"
        );
        let line: Value = serde_json::from_str(json).unwrap();
        assert_eq!(line["routing_key"], hostile);
    }

    fn inside_spans() {
        let request =
            tracing::error_span!("request", request_id = %"r1", user_id = tracing::field::Empty);
        let _request = request.enter();
        request.record("user_id", 5);
        let event = tracing::error_span!("event", event_id = %"e1", routing_key = "a\n.b", request_id = %"r2");
        let _event = event.enter();
        tracing::info!(event_id = 7, "Done");
    }

    #[test]
    fn a_line_has_the_fields_of_its_spans_once() {
        let lines = written(LogFormat::Text, inside_spans);
        assert_eq!(
            without_time(&lines[0]),
            r#"INFO Done event_id=7 routing_key="a\n.b" request_id=r2 user_id=5"#
        );
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let lines = written(LogFormat::Json, inside_spans);
        let mut line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert!(line["timestamp"].take().is_string());
        assert_eq!(
            line,
            serde_json::json!({
                "timestamp": null, "level": "INFO", "message": "Done", "event_id": 7,
                "routing_key": "a\n.b", "request_id": "r2", "user_id": 5,
            })
        );
    }
}
