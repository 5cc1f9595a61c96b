//! French. A no-break space stands before a colon.

use super::{Body, Content, device, time};
use crate::content::Language::French;

pub(super) const ADDRESS: &str =
    "Si le bouton ne fonctionne pas, copiez cette adresse dans votre navigateur\u{a0}:";
pub(super) const FOOTER: &str =
    "MedTrack a envoyé ce message automatiquement. Les réponses ne sont pas lues.";

pub(super) fn greeting(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("Bonjour {name},"),
        None => "Bonjour,".into(),
    }
}

pub(super) fn body(content: &Content) -> Body {
    match content {
        Content::Verification => Body {
            subject: "Confirmez votre adresse e-mail",
            paragraphs: vec![
                "Cette adresse e-mail a été donnée à MedTrack comme étant la vôtre. Veuillez la confirmer.".into(),
            ],
            button: "Confirmer l'adresse",
            notes: vec![
                "Le lien fonctionne une seule fois, pendant 24 heures.",
                "Si vous ne connaissez pas MedTrack, vous n'avez rien à faire.",
            ],
        },
        Content::PasswordReset => Body {
            subject: "Choisissez un nouveau mot de passe",
            paragraphs: vec![
                "Un nouveau mot de passe a été demandé pour votre compte MedTrack.".into(),
            ],
            button: "Choisir un mot de passe",
            notes: vec![
                "Le lien fonctionne une seule fois, pendant une heure.",
                "Si ce n'était pas vous, vous n'avez rien à faire\u{a0}: votre mot de passe reste le même.",
            ],
        },
        Content::SetPassword => Body {
            subject: "Votre compte MedTrack",
            paragraphs: vec![
                "Un compte MedTrack a été créé pour vous. Choisissez un mot de passe, puis connectez-vous avec cette adresse e-mail.".into(),
            ],
            button: "Choisir un mot de passe",
            notes: vec![
                "Le lien fonctionne une seule fois, pendant 7 jours. Après, demandez-en un nouveau sur la page de connexion.",
            ],
        },
        Content::NewDevice { device: name, at } => Body {
            subject: "Un nouvel appareil s'est connecté à votre compte",
            paragraphs: vec![
                "Un appareil s'est connecté à votre compte MedTrack pour la première fois.".into(),
                format!("Appareil\u{a0}: {}", device(name, French)),
                format!("Heure\u{a0}: {}", time(at, French)),
            ],
            button: "Ouvrir MedTrack",
            notes: vec![
                "Si c'était vous, vous n'avez rien à faire.",
                "Si ce n'était pas vous, changez tout de suite votre mot de passe et fermez toutes les autres sessions.",
            ],
        },
        Content::PasswordChanged { at } => Body {
            subject: "Votre mot de passe a été changé",
            paragraphs: vec![
                "Le mot de passe de votre compte MedTrack a été changé.".into(),
                format!("Heure\u{a0}: {}", time(at, French)),
            ],
            button: "Ouvrir MedTrack",
            notes: vec![
                "Si c'était vous, vous n'avez rien à faire.",
                "Si ce n'était pas vous, choisissez tout de suite un nouveau mot de passe, avec «\u{a0}Mot de passe oublié\u{a0}» sur la page de connexion.",
            ],
        },
        Content::EmailChanged { at } => Body {
            subject: "Votre adresse e-mail a été changée",
            paragraphs: vec![
                "Votre compte MedTrack a maintenant une autre adresse e-mail. Celle-ci n'est plus utilisée.".into(),
                format!("Heure\u{a0}: {}", time(at, French)),
                "Si c'était vous, vous n'avez rien à faire. Si ce n'était pas vous, annulez tout de suite ce changement.".into(),
            ],
            button: "Annuler le changement",
            notes: vec!["Le lien fonctionne une seule fois, pendant 7 jours."],
        },
        Content::DeletionAhead { on } => Body {
            subject: "Votre compte va être supprimé",
            paragraphs: vec![
                "Vous n'avez pas encore confirmé cette adresse e-mail.".into(),
                format!("Sans confirmation, votre compte MedTrack sera supprimé le {on}. Confirmez l'adresse pour le garder."),
            ],
            button: "Confirmer l'adresse",
            notes: vec!["Le lien fonctionne une seule fois, pendant 7 jours."],
        },
    }
}
