//! The notifications of students about their internships. No notification contains a score or a grade, because other
//! people may see the screen; the link leads to it.

use super::{Notice, texts::Arguments};
use events::{
    Event, StudentId,
    internships::{
        EvaluationCreated, EvaluationUpdated, GradeAssigned, StageAccepted, StageCancelled,
        StageCompleted, StageCreated, StageRejected, StageStarted,
    },
};
use serde_json::json;

/// An event that notifies a student. It names the student, not the user.
pub(crate) trait AboutStudent: Event {
    /// The student.
    fn student_id(&self) -> StudentId;

    /// The text.
    fn notice(&self) -> Notice;
}

impl AboutStudent for StageCreated {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::default(),
            related_object_type: "stage",
            related_object_id: self.stage_id.as_uuid(),
            metadata: json!({"stage_id": self.stage_id, "student_id": self.student_id, "offer_id": self.offer_id, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for StageAccepted {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::day(self.start_date),
            related_object_type: "stage",
            related_object_id: self.stage_id.as_uuid(),
            metadata: json!({"stage_id": self.stage_id, "student_id": self.student_id, "encadrant_id": self.encadrant_id, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for StageRejected {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::default(),
            related_object_type: "stage",
            related_object_id: self.stage_id.as_uuid(),
            metadata: json!({"stage_id": self.stage_id, "student_id": self.student_id, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for StageStarted {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::default(),
            related_object_type: "stage",
            related_object_id: self.stage_id.as_uuid(),
            metadata: json!({"stage_id": self.stage_id, "student_id": self.student_id, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for StageCompleted {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::day(self.completion_date),
            related_object_type: "stage",
            related_object_id: self.stage_id.as_uuid(),
            metadata: json!({"stage_id": self.stage_id, "completion_date": self.completion_date, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for StageCancelled {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::default(),
            related_object_type: "stage",
            related_object_id: self.stage_id.as_uuid(),
            metadata: json!({"stage_id": self.stage_id, "student_id": self.student_id, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for EvaluationCreated {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::default(),
            related_object_type: "evaluation",
            related_object_id: self.evaluation_id.as_uuid(),
            metadata: json!({"evaluation_id": self.evaluation_id, "stage_id": self.stage_id, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for EvaluationUpdated {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::default(),
            related_object_type: "evaluation",
            related_object_id: self.evaluation_id.as_uuid(),
            metadata: json!({"evaluation_id": self.evaluation_id, "stage_id": self.stage_id, "event": Self::KEY}),
        }
    }
}

impl AboutStudent for GradeAssigned {
    fn student_id(&self) -> StudentId {
        self.student_id
    }

    fn notice(&self) -> Notice {
        Notice {
            kind: Self::KEY,
            arguments: Arguments::default(),
            related_object_type: "stage",
            related_object_id: self.stage_id.as_uuid(),
            metadata: json!({"stage_id": self.stage_id, "student_id": self.student_id, "event": Self::KEY}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_date_leaves_no_hole() {
        let accepted = |start_date| {
            StageAccepted {
                start_date,
                ..StageAccepted::sample()
            }
            .notice()
            .english()
            .content
        };
        assert_eq!(
            accepted(StageAccepted::sample().start_date),
            "Congratulations! Your internship stage has been accepted and will begin on 2026-01-12."
        );
        assert_eq!(
            accepted(None),
            "Congratulations! Your internship stage has been accepted."
        );
        let completed = |completion_date| {
            StageCompleted {
                completion_date,
                ..StageCompleted::sample()
            }
            .notice()
            .english()
            .content
        };
        assert_eq!(
            completed(StageCompleted::sample().completion_date),
            "Your internship stage has been marked as completed on 2026-03-27. Please wait for your evaluation."
        );
        assert!(completed(None).contains("marked as completed. "));
    }

    #[test]
    fn no_text_contains_a_score() {
        for notice in [
            EvaluationCreated::sample().notice(),
            EvaluationUpdated::sample().notice(),
            GradeAssigned::sample().notice(),
        ] {
            let text = format!("{:?} {}", notice.english(), notice.metadata);
            assert!(
                !text.contains("85") && !text.contains("17.1") && !text.contains("score"),
                "{text}"
            );
        }
    }
}
