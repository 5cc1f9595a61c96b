//! The figures of a run, and how they are printed.

use serde_json::{Map, Value, json};

/// How many parts each measurement has. They tell how far the machine alone moves a figure.
pub(crate) const PARTS: usize = 3;

/// One figure: its value in each part of the measurement.
pub(crate) struct Figure {
    /// Its place in the JSON form, such as `commit.p50_ms`.
    pub(crate) path: String,
    about: String,
    unit: &'static str,
    parts: Vec<f64>,
    asked: Option<String>,
}

impl Figure {
    pub(crate) fn new(path: &str, about: &str, unit: &'static str, value: f64) -> Self {
        Self::of_parts(path, about, unit, vec![value])
    }

    pub(crate) fn of_parts(path: &str, about: &str, unit: &'static str, parts: Vec<f64>) -> Self {
        Self {
            path: path.to_owned(),
            about: about.to_owned(),
            unit,
            parts,
            asked: None,
        }
    }

    /// Says what the project asks for.
    pub(crate) fn asked(mut self, asked: &str) -> Self {
        self.asked = Some(asked.to_owned());
        self
    }

    pub(crate) fn value(&self) -> f64 {
        quantile(&self.parts, 0.5)
    }

    /// The spread of the parts, as a share of the value.
    pub(crate) fn noise(&self) -> f64 {
        let spread = quantile(&self.parts, 1.0) - quantile(&self.parts, 0.0);
        if spread == 0.0 {
            0.0
        } else {
            spread / self.value().abs()
        }
    }
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    pub(crate) fn add(&mut self, figure: Figure) {
        self.0.push(figure);
    }

    pub(crate) fn figures(&self) -> &[Figure] {
        &self.0
    }

    /// One object for programs. `noise` has the same paths.
    pub(crate) fn json(&self) -> Value {
        let (mut values, mut noises) = (Map::new(), Map::new());
        for figure in &self.0 {
            insert(&mut values, &figure.path, figure.value());
            if figure.parts.len() > 1 {
                insert(&mut noises, &figure.path, figure.noise());
            }
        }
        values.insert("noise".into(), noises.into());
        values.into()
    }

    pub(crate) fn print(&self) {
        println!(
            "{:<66} {:>10} {:<10} {:>6}  asked for",
            "what", "value", "", "noise"
        );
        for figure in &self.0 {
            let noise = if figure.parts.len() > 1 {
                format!("±{:.0} %", figure.noise() * 50.0)
            } else {
                String::new()
            };
            println!(
                "{:<66} {:>10} {:<10} {noise:>6}  {}",
                figure.about,
                readable(figure.value()),
                figure.unit,
                figure.asked.as_deref().unwrap_or_default()
            );
        }
    }
}

fn insert(object: &mut Map<String, Value>, path: &str, value: f64) {
    match path.split_once('.') {
        None => {
            object.insert(path.into(), json!(value));
        }
        Some((first, rest)) => {
            let inner = object.entry(first).or_insert_with(|| json!({}));
            insert(inner.as_object_mut().unwrap(), rest, value);
        }
    }
}

/// A value with three digits that matter.
pub(crate) fn readable(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The value below which this share of the samples lies.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count => sorted[((count - 1) as f64 * share).round() as usize],
    }
}

/// The quantile in each part of the samples, which are in the order of their time.
pub(crate) fn by_parts(samples: &[f64], share: f64) -> Vec<f64> {
    let size = samples.len().div_ceil(PARTS).max(1);
    samples
        .chunks(size)
        .map(|part| quantile(part, share))
        .collect()
}

/// Adds the usual quantiles of times in milliseconds.
pub(crate) fn add_times(report: &mut Report, path: &str, about: &str, samples: &[f64]) {
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let parts = by_parts(samples, share);
        let about = format!("{about}, {name}");
        report.add(Figure::of_parts(
            &format!("{path}.{name}_ms"),
            &about,
            "ms",
            parts,
        ));
    }
}
