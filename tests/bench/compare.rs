//! Compares a run with an earlier one.

use crate::report::{Report, readable};
use serde_json::Value;

/// Reads what `--json` has printed.
pub(crate) fn read(file: &str) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Prints each figure beside its earlier value. A difference within the noise of the two runs says nothing.
pub(crate) fn print(earlier: &Value, report: &Report) {
    println!(
        "{:<46} {:>10} {:>10} {:>8} {:>8}",
        "figure", "before", "now", "change", "noise"
    );
    for figure in report.figures() {
        let Some(before) = at(earlier, &figure.path) else {
            println!(
                "{:<46} {:>10} {:>10}",
                figure.path,
                "",
                readable(figure.value())
            );
            continue;
        };
        let change = figure.value() / before - 1.0;
        let noise = figure.noise() + at(&earlier["noise"], &figure.path).unwrap_or_default();
        let note = if change.abs() <= noise / 2.0 {
            "within the noise"
        } else {
            ""
        };
        println!(
            "{:<46} {:>10} {:>10} {:>+7.1}% {:>7.1}%  {note}",
            figure.path,
            readable(before),
            readable(figure.value()),
            change * 100.0,
            noise * 50.0
        );
    }
}

fn at(report: &Value, path: &str) -> Option<f64> {
    report
        .pointer(&format!("/{}", path.replace('.', "/")))?
        .as_f64()
}
