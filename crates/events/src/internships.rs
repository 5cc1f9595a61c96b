//! The events of other systems about internships ("stages"), their evaluations and grades. MedTrack's own services
//! only receive them; `medtrack events publish` can replace a publisher.

use crate::{EncadrantId, EvaluationId, Event, OfferId, StageId, StudentId};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

const STAGE: Uuid = Uuid::from_u128(0x019ab3c2_0a11_7c52_9e03_5d7b1f3a8c46);
const STUDENT: Uuid = Uuid::from_u128(0x019ab3c1_5b10_7d21_9a44_6c0f2e8b4a13);
const ENCADRANT: Uuid = Uuid::from_u128(0x019ab3c1_5c87_7e35_b2c6_1d4f8a0e9b24);
const OFFER: Uuid = Uuid::from_u128(0x019ab3c1_ff42_7b16_8c2d_4e6a9b0d7f57);
const EVALUATION: Uuid = Uuid::from_u128(0x019ab3c2_8d73_7e64_a1b5_0c9e3f5d2a68);

const MAX_SCORE: f64 = 100.0;
const MAX_GRADE: f64 = 20.0;

/// An internship was created for a student, and awaits its acceptance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageCreated {
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
    /// The offer it came from, when the publisher says.
    #[serde(default)]
    pub offer_id: Option<OfferId>,
}

impl Event for StageCreated {
    const KEY: &'static str = "stage.created";

    fn aggregate_id(&self) -> Uuid {
        self.stage_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
            offer_id: Some(OFFER.into()),
        }
    }
}

/// An internship was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageAccepted {
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
    /// The supervisor, when known.
    #[serde(default)]
    pub encadrant_id: Option<EncadrantId>,
    /// The first day, when known.
    #[serde(default, deserialize_with = "day")]
    pub start_date: Option<NaiveDate>,
}

impl Event for StageAccepted {
    const KEY: &'static str = "stage.accepted";

    fn aggregate_id(&self) -> Uuid {
        self.stage_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
            encadrant_id: Some(ENCADRANT.into()),
            start_date: NaiveDate::from_ymd_opt(2026, 1, 12),
        }
    }
}

/// An internship was rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageRejected {
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
}

impl Event for StageRejected {
    const KEY: &'static str = "stage.rejected";

    fn aggregate_id(&self) -> Uuid {
        self.stage_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
        }
    }
}

/// An internship began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageStarted {
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
}

impl Event for StageStarted {
    const KEY: &'static str = "stage.started";

    fn aggregate_id(&self) -> Uuid {
        self.stage_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
        }
    }
}

/// An internship was completed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageCompleted {
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
    /// The last day, when known.
    #[serde(default, deserialize_with = "day")]
    pub completion_date: Option<NaiveDate>,
}

impl Event for StageCompleted {
    const KEY: &'static str = "stage.completed";

    fn aggregate_id(&self) -> Uuid {
        self.stage_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
            completion_date: NaiveDate::from_ymd_opt(2026, 3, 27),
        }
    }
}

/// An internship was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageCancelled {
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
}

impl Event for StageCancelled {
    const KEY: &'static str = "stage.cancelled";

    fn aggregate_id(&self) -> Uuid {
        self.stage_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
        }
    }
}

/// An internship was evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationCreated {
    /// The evaluation.
    pub evaluation_id: EvaluationId,
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
    /// From 0 to 100, when the publisher says. No text to a user contains it.
    #[serde(default, deserialize_with = "score")]
    #[schemars(range(min = 0.0, max = MAX_SCORE))]
    pub score: Option<f64>,
}

impl Event for EvaluationCreated {
    const KEY: &'static str = "evaluation.created";

    fn aggregate_id(&self) -> Uuid {
        self.evaluation_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            evaluation_id: EVALUATION.into(),
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
            score: Some(85.5),
        }
    }
}

/// An evaluation changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationUpdated {
    /// The evaluation.
    pub evaluation_id: EvaluationId,
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
    /// From 0 to 100, when the publisher says. No text to a user contains it.
    #[serde(default, deserialize_with = "score")]
    #[schemars(range(min = 0.0, max = MAX_SCORE))]
    pub score: Option<f64>,
}

impl Event for EvaluationUpdated {
    const KEY: &'static str = "evaluation.updated";

    fn aggregate_id(&self) -> Uuid {
        self.evaluation_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            evaluation_id: EVALUATION.into(),
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
            score: Some(85.5),
        }
    }
}

/// An internship received its final grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradeAssigned {
    /// The internship.
    pub stage_id: StageId,
    /// The student whose internship it is: the id of the student's profile (`profile_id` of a token, `id` of
    /// `/profile/api/me`), not the id of the user.
    pub student_id: StudentId,
    /// From 0 to 20, when the publisher says. No text to a user contains it.
    #[serde(default, deserialize_with = "final_grade")]
    #[schemars(range(min = 0.0, max = MAX_GRADE))]
    pub final_grade: Option<f64>,
}

impl Event for GradeAssigned {
    const KEY: &'static str = "grade.assigned";

    fn aggregate_id(&self) -> Uuid {
        self.stage_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            stage_id: STAGE.into(),
            student_id: STUDENT.into(),
            final_grade: Some(17.1),
        }
    }
}

/// Reads a date, or a time of which the date is used.
fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let day = text.get(..10).and_then(|day| day.parse().ok());
    day.map(Some)
        .ok_or_else(|| serde::de::Error::custom("a date must begin as YYYY-MM-DD"))
}

fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number(deserializer, MAX_SCORE)
}

fn final_grade<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number(deserializer, MAX_GRADE)
}

/// Reads a number from 0 to `max`, or a text that contains one: the old services send decimals as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D, max: f64) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Lenient {
        Number(f64),
        Text(String),
    }
    let refused = |what| serde::de::Error::custom(format!("must be {what}"));
    let lenient = Option::deserialize(deserializer).map_err(|_| refused("a number".to_owned()))?;
    let number = match lenient {
        None => return Ok(None),
        Some(Lenient::Number(number)) => number,
        Some(Lenient::Text(text)) => text
            .trim()
            .parse()
            .map_err(|_| refused("a number".to_owned()))?,
    };
    match (0.0..=max).contains(&number) {
        true => Ok(Some(number)),
        false => Err(refused(format!("from 0 to {max}"))),
    }
}
