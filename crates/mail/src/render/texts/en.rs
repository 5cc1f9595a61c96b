//! English.

use super::{Body, Content, device, time};
use crate::content::Language::English;

pub(super) const ADDRESS: &str =
    "If the button does not work, copy this address into your browser:";
pub(super) const FOOTER: &str =
    "MedTrack sent this mail automatically. Answers to it are not read.";

pub(super) fn greeting(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("Hello {name},"),
        None => "Hello,".into(),
    }
}

pub(super) fn body(content: &Content) -> Body {
    match content {
        Content::Verification => Body {
            subject: "Confirm your e-mail address",
            paragraphs: vec!["This e-mail address was given to MedTrack as yours. Please confirm it.".into()],
            button: "Confirm the address",
            notes: vec![
                "The link works once, within 24 hours.",
                "If you do not know MedTrack, you need not do anything.",
            ],
        },
        Content::PasswordReset => Body {
            subject: "Set a new password",
            paragraphs: vec!["A new password was asked for, for your MedTrack account.".into()],
            button: "Set a new password",
            notes: vec![
                "The link works once, within one hour.",
                "If it was not you, you need not do anything: your password stays as it is.",
            ],
        },
        Content::SetPassword => Body {
            subject: "Your MedTrack account",
            paragraphs: vec![
                "A MedTrack account was created for you. Set a password, then you can log in with this e-mail address.".into(),
            ],
            button: "Set a password",
            notes: vec![
                "The link works once, within 7 days. Later, ask for a new one on the log-in page.",
            ],
        },
        Content::NewDevice { device: name, at } => Body {
            subject: "A new device logged in to your account",
            paragraphs: vec![
                "A device logged in to your MedTrack account for the first time.".into(),
                format!("Device: {}", device(name, English)),
                format!("Time: {}", time(at, English)),
            ],
            button: "Open MedTrack",
            notes: vec![
                "If it was you, you need not do anything.",
                "If it was not you, change your password at once, and end all other sessions.",
            ],
        },
        Content::PasswordChanged { at } => Body {
            subject: "Your password was changed",
            paragraphs: vec![
                "The password of your MedTrack account was changed.".into(),
                format!("Time: {}", time(at, English)),
            ],
            button: "Open MedTrack",
            notes: vec![
                "If it was you, you need not do anything.",
                "If it was not you, set a new password at once, with \u{201c}Forgotten password\u{201d} on the log-in page.",
            ],
        },
        Content::EmailChanged { at } => Body {
            subject: "Your e-mail address was changed",
            paragraphs: vec![
                "Your MedTrack account has another e-mail address now. This one is not used any more.".into(),
                format!("Time: {}", time(at, English)),
                "If it was you, you need not do anything. If it was not you, take the change back at once.".into(),
            ],
            button: "Take the change back",
            notes: vec!["The link works once, within 7 days."],
        },
        Content::DeletionAhead { on } => Body {
            subject: "Your account will be deleted",
            paragraphs: vec![
                "You have not confirmed this e-mail address yet.".into(),
                format!("Without it, your MedTrack account will be deleted on {on}. Confirm the address to keep it."),
            ],
            button: "Confirm the address",
            notes: vec!["The link works once, within 7 days."],
        },
    }
}
