//! Keywords: the words for the values of an option, the same in every interface.

/// Words with their values; each word and each value is there once.
pub type Keywords<T> = &'static [(&'static str, T)];

pub const TRUTHS: Keywords<bool> = &[("true", true), ("false", false)];

/// Value of a keyword.
///
/// # Errors
/// A sentence that lists the known keywords.
pub fn parse_keyword<T: Copy>(keywords: Keywords<T>, given: &str) -> Result<T, String> {
    let found = keywords.iter().find(|(word, _)| *word == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words(keywords).collect();
        format!("{given:?} is not one of {}", known.join(", "))
    })
}

/// Keyword of a value.
pub fn keyword<T: Copy + PartialEq>(keywords: Keywords<T>, value: T) -> &'static str {
    keywords.iter().find(|(_, meant)| *meant == value).map_or("", |(word, _)| word)
}

/// The words alone, in order.
pub fn words<T>(keywords: Keywords<T>) -> impl Iterator<Item = &'static str> {
    keywords.iter().map(|(word, _)| *word)
}

/// Implements `FromStr` and `Display` for types whose `KEYWORDS` name every value.
macro_rules! spelled_by_keywords {
    ($($spelled:ty),+) => {$(
        impl std::str::FromStr for $spelled {
            type Err = String;

            fn from_str(text: &str) -> std::result::Result<Self, String> {
                $crate::rules::keyword::parse_keyword(Self::KEYWORDS, text)
            }
        }

        impl std::fmt::Display for $spelled {
            fn fmt(&self, text: &mut std::fmt::Formatter) -> std::fmt::Result {
                text.write_str($crate::rules::keyword::keyword(Self::KEYWORDS, *self))
            }
        }
    )+};
}

pub(crate) use spelled_by_keywords;

/// Declares an enum with an array of all its values.
macro_rules! listed {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident,)+
        }
    ) => {
        $(#[$attribute])*
        pub enum $name {
            $($(#[$variant_attribute])* $variant,)+
        }

        impl $name {
            /// All values, in the order in which they are listed.
            pub const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];
        }
    };
}

pub(crate) use listed;

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: Keywords<u8> = &[("monday", 0), ("tuesday", 1)];

    #[test]
    fn an_unknown_keyword_is_answered_with_the_known_ones() {
        assert_eq!(parse_keyword(DAYS, "tuesday"), Ok(1));
        assert_eq!(
            parse_keyword(DAYS, "Monday"),
            Err("\"Monday\" is not one of monday, tuesday".into())
        );
        assert_eq!(keyword(DAYS, 0), "monday");
    }
}
