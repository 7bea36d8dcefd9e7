//! The names of keys.

/// Maximum length of a name in characters. Longer names are cut.
const ALIAS_CHARS_MAX: usize = 100;

/// Returns the name of a key as messages show it, on one line.
pub(super) fn shown_alias(alias: &str) -> String {
    let shown = alias.chars().filter(|c| !c.is_control());
    shown.take(ALIAS_CHARS_MAX).collect()
}
