//! The texts of one language, as its Fluent file writes them.
//!
//! A text may have what these texts need, and nothing else: arguments, selections by an argument, and the value of
//! another message. The tests refuse a file that has more.

use crate::domain::Language;
use fluent_syntax::{
    ast::{Entry, Expression, InlineExpression, Message, Pattern, PatternElement, VariantKey},
    parser,
};
use std::{collections::HashMap, fmt::Write as _};

/// How deep messages may refer to each other.
const MOST_REFERENCES: u8 = 3;
/// U+2068 and U+2069: they keep the direction of a name apart from that of the sentence.
const ISOLATES: [char; 2] = ['\u{2068}', '\u{2069}'];

/// The texts of one language.
pub(super) struct Bundle {
    language: Language,
    pub(super) messages: HashMap<&'static str, Message<&'static str>>,
}

/// The value of an argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument<'a> {
    /// A name, of any script.
    Name(&'a str),
    /// Selects a variant; it is not shown.
    Choice(&'static str),
    /// A part of a date. It selects the variant with its number, or the default.
    Part(u32),
    /// How many. It selects the variant with its number, or with its plural category.
    Count(u64),
}

/// The arguments of a text, by their names.
pub(super) type Arguments<'a> = [(&'static str, Argument<'a>)];

impl Bundle {
    /// Reads a file. It leaves out what it cannot read: the tests find that.
    pub(super) fn new(language: Language, file: &'static str) -> Self {
        let resource = match parser::parse(file) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        let messages = resource.body.into_iter().filter_map(|entry| match entry {
            Entry::Message(message) => Some((message.id.name, message)),
            _ => None,
        });
        Self {
            language,
            messages: messages.collect(),
        }
    }

    /// Returns the value of a message.
    pub(super) fn value(&self, message: &str, arguments: &Arguments<'_>) -> Option<String> {
        let mut text = String::new();
        let message = self.messages.get(message)?;
        self.write(&mut text, message.value.as_ref()?, arguments, 0)?;
        Some(text)
    }

    /// Returns an attribute of a message.
    pub(super) fn attribute(
        &self,
        message: &str,
        attribute: &str,
        arguments: &Arguments<'_>,
    ) -> Option<String> {
        let mut text = String::new();
        let mut attributes = self.messages.get(message)?.attributes.iter();
        let attribute = attributes.find(|own| own.id.name == attribute)?;
        self.write(&mut text, &attribute.value, arguments, 0)?;
        Some(text)
    }

    /// Writes a pattern; `None` when it has something that is missing, or that is not known here.
    fn write(
        &self,
        text: &mut String,
        pattern: &Pattern<&'static str>,
        arguments: &Arguments<'_>,
        references: u8,
    ) -> Option<()> {
        for element in &pattern.elements {
            match element {
                PatternElement::TextElement { value } => text.push_str(value),
                PatternElement::Placeable {
                    expression: Expression::Inline(InlineExpression::VariableReference { id }),
                } => self.show(text, find(arguments, id.name)?)?,
                PatternElement::Placeable {
                    expression:
                        Expression::Inline(InlineExpression::MessageReference {
                            id,
                            attribute: None,
                        }),
                } if references < MOST_REFERENCES => {
                    let value = self.messages.get(id.name)?.value.as_ref()?;
                    self.write(text, value, arguments, references + 1)?;
                }
                PatternElement::Placeable {
                    expression:
                        Expression::Select {
                            selector: InlineExpression::VariableReference { id },
                            variants,
                        },
                } => {
                    let argument = find(arguments, id.name)?;
                    let variant = variants
                        .iter()
                        .find(|variant| self.selects(argument, &variant.key))
                        .or_else(|| variants.iter().find(|variant| variant.default))?;
                    self.write(text, &variant.value, arguments, references)?;
                }
                PatternElement::Placeable { .. } => return None,
            }
        }
        Some(())
    }

    fn show(&self, text: &mut String, argument: Argument<'_>) -> Option<()> {
        match argument {
            Argument::Name(name) if self.language == Language::Arabic => {
                let [begin, end] = ISOLATES;
                text.extend([begin]);
                text.push_str(name);
                text.extend([end]);
            }
            Argument::Name(name) => text.push_str(name),
            Argument::Part(number) => write!(text, "{number}").ok()?,
            Argument::Count(number) => self.write_number(text, number),
            Argument::Choice(_) => return None,
        }
        Some(())
    }

    /// Writes a number with the digits 0–9, and with the separator of the language between the thousands.
    fn write_number(&self, text: &mut String, number: u64) {
        let digits = number.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(self.language.separator());
            }
            text.push(digit);
        }
    }

    fn selects(&self, argument: Argument<'_>, key: &VariantKey<&'static str>) -> bool {
        match (argument, key) {
            (Argument::Choice(choice), VariantKey::Identifier { name }) => choice == *name,
            (Argument::Part(number), VariantKey::NumberLiteral { value }) => {
                value.parse() == Ok(number)
            }
            (Argument::Count(number), VariantKey::NumberLiteral { value }) => {
                value.parse() == Ok(number)
            }
            (Argument::Count(number), VariantKey::Identifier { name }) => {
                self.language.category(number) == *name
            }
            (Argument::Name(_), _)
            | (Argument::Choice(_), VariantKey::NumberLiteral { .. })
            | (Argument::Part(_), VariantKey::Identifier { .. }) => false,
        }
    }
}

fn find<'a>(arguments: &Arguments<'a>, name: &str) -> Option<Argument<'a>> {
    let argument = arguments.iter().find(|(own, _)| *own == name)?;
    Some(argument.1)
}
