//! Arabic, with the digits of the Maghreb (0–9). Latin words and times are kept apart from the direction of the sentence.

use super::{Body, Content, device, isolated, time};
use crate::content::Language::Arabic;

pub(super) const ADDRESS: &str = "إذا لم يعمل الزر، فانسخ هذا العنوان إلى متصفحك:";
pub(super) const FOOTER: &str =
    "أرسل \u{2068}MedTrack\u{2069} هذه الرسالة تلقائيا. لا تُقرأ الردود عليها.";

pub(super) fn greeting(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("مرحبا {name}،"),
        None => "مرحبا،".into(),
    }
}

pub(super) fn body(content: &Content) -> Body {
    match content {
        Content::Verification => Body {
            subject: "أكّد بريدك الإلكتروني",
            paragraphs: vec![
                "أُعطي هذا البريد الإلكتروني إلى \u{2068}MedTrack\u{2069} على أنه بريدك. يرجى تأكيده.".into(),
            ],
            button: "تأكيد البريد",
            notes: vec![
                "يعمل الرابط مرة واحدة، خلال 24 ساعة.",
                "إذا كنت لا تعرف \u{2068}MedTrack\u{2069}، فلا داعي لفعل أي شيء.",
            ],
        },
        Content::PasswordReset => Body {
            subject: "اختر كلمة مرور جديدة",
            paragraphs: vec![
                "طُلبت كلمة مرور جديدة لحسابك في \u{2068}MedTrack\u{2069}.".into(),
            ],
            button: "اختيار كلمة مرور",
            notes: vec![
                "يعمل الرابط مرة واحدة، خلال ساعة واحدة.",
                "إذا لم تطلب ذلك، فلا داعي لفعل أي شيء: تبقى كلمة مرورك كما هي.",
            ],
        },
        Content::SetPassword => Body {
            subject: "حسابك في MedTrack",
            paragraphs: vec![
                "أُنشئ لك حساب في \u{2068}MedTrack\u{2069}. اختر كلمة مرور، ثم سجّل الدخول بهذا البريد الإلكتروني.".into(),
            ],
            button: "اختيار كلمة مرور",
            notes: vec![
                "يعمل الرابط مرة واحدة، خلال 7 أيام. بعد ذلك اطلب رابطا جديدا في صفحة تسجيل الدخول.",
            ],
        },
        Content::NewDevice { device: name, at } => Body {
            subject: "سجّل جهاز جديد الدخول إلى حسابك",
            paragraphs: vec![
                "سجّل جهاز الدخول إلى حسابك في \u{2068}MedTrack\u{2069} لأول مرة.".into(),
                format!("الجهاز: {}", device(name, Arabic)),
                format!("الوقت: {}", time(at, Arabic)),
            ],
            button: "فتح \u{2068}MedTrack\u{2069}",
            notes: vec![
                "إذا كنت أنت من فعل ذلك، فلا داعي لفعل أي شيء.",
                "إذا لم تكن أنت، فغيّر كلمة مرورك فورا وأنهِ كل الجلسات الأخرى.",
            ],
        },
        Content::PasswordChanged { at } => Body {
            subject: "تم تغيير كلمة مرورك",
            paragraphs: vec![
                "تم تغيير كلمة مرور حسابك في \u{2068}MedTrack\u{2069}.".into(),
                format!("الوقت: {}", time(at, Arabic)),
            ],
            button: "فتح \u{2068}MedTrack\u{2069}",
            notes: vec![
                "إذا كنت أنت من فعل ذلك، فلا داعي لفعل أي شيء.",
                "إذا لم تكن أنت، فاختر فورا كلمة مرور جديدة عبر «نسيت كلمة المرور» في صفحة تسجيل الدخول.",
            ],
        },
        Content::EmailChanged { at } => Body {
            subject: "تم تغيير بريدك الإلكتروني",
            paragraphs: vec![
                "أصبح لحسابك في \u{2068}MedTrack\u{2069} بريد إلكتروني آخر. لم يعد هذا البريد مستعملا.".into(),
                format!("الوقت: {}", time(at, Arabic)),
                "إذا كنت أنت من فعل ذلك، فلا داعي لفعل أي شيء. إذا لم تكن أنت، فألغِ هذا التغيير فورا.".into(),
            ],
            button: "إلغاء التغيير",
            notes: vec!["يعمل الرابط مرة واحدة، خلال 7 أيام."],
        },
        Content::DeletionAhead { on } => Body {
            subject: "سيُحذف حسابك",
            paragraphs: vec![
                "لم تؤكد هذا البريد الإلكتروني بعد.".into(),
                format!(
                    "بدون تأكيد سيُحذف حسابك في \u{2068}MedTrack\u{2069} يوم {}. أكّد البريد للاحتفاظ به.",
                    isolated(&on.to_string(), Arabic)
                ),
            ],
            button: "تأكيد البريد",
            notes: vec!["يعمل الرابط مرة واحدة، خلال 7 أيام."],
        },
    }
}
