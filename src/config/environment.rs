//! Expansion of `${ENV:NAME}` in values.

/// A function that looks up an environment variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Looks up a variable in the process's environment.
pub(super) fn process(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of environment variables, for ${ENV:X}"
    )]
    std::env::var(name).ok()
}

/// Replaces every `${ENV:NAME}` with the value of the variable. The provider's name (`ENV`) may be
/// in any case, as in newer airlift. Other text is unchanged.
///
/// # Errors
/// Returns the name of a variable that is not set.
pub(super) fn expand(value: &str, environment: Environment<'_>) -> Result<String, String> {
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        expanded.push_str(before);
        match variable(reference) {
            Some((name, after)) => {
                expanded.push_str(&environment(name).ok_or_else(|| name.to_owned())?);
                rest = after;
            }
            None => {
                expanded.push_str("${");
                rest = reference.strip_prefix("${").unwrap_or_default();
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Returns the name in a leading `${ENV:NAME}`, and the text after the closing brace. A name
/// matches airlift's pattern, `[a-zA-Z][a-zA-Z0-9_-]*`.
fn variable(text: &str) -> Option<(&str, &str)> {
    let (reference, after) = text.strip_prefix("${")?.split_once('}')?;
    let (provider, name) = reference.split_once(':')?;
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    (provider.eq_ignore_ascii_case("env") && named).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Environment variables are expanded anywhere in a value. Text that airlift would not replace
    /// is unchanged.
    #[test]
    fn expands_environment_variables() {
        let environment = |name: &str| (name == "HOST_1").then(|| "node1".to_owned());
        for (text, expanded) in [
            ("${ENV:HOST_1}", "node1"),
            ("a${env:HOST_1}b${ENV:HOST_1}c", "anode1bnode1c"),
            (
                "${file:x} ${ENV:} ${ENV:HOST_1",
                "${file:x} ${ENV:} ${ENV:HOST_1",
            ),
            ("$${ENV:HOST_1}", "$node1"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(text, &environment).as_deref(), Ok(expanded));
        }
        assert_eq!(
            expand("x${ENV:ABSENT}", &environment),
            Err("ABSENT".to_owned())
        );
    }
}
