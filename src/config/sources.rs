//! The properties of all sources, with access by key.

use super::environment::{Environment, expand};
use super::error::{ConfigError, ConfigErrors, SourceLocation};
use super::keys::{self, KeyEffect};
use super::paths::{CommandLine, Paths};
use super::properties::{Property, parse_java};
use super::{file, values};
use std::collections::{BTreeMap, BTreeSet};

/// The source of the properties on the command line.
const OPTION: &str = "-D";

/// A property's value, with the location that set it.
#[derive(Debug, Clone)]
struct Sourced {
    value: String,
    location: SourceLocation,
}

/// The effective properties. Reading an invalid value records the error and returns the default, so
/// that all errors are reported together.
#[derive(Debug, Default)]
pub(super) struct Sources {
    properties: BTreeMap<String, Sourced>,
    /// Keys whose value cannot be used. The value is already reported, so the key is not reported
    /// as missing.
    unusable: BTreeSet<String>,
    /// The path of `config.properties`, which is also the location of an error about a missing key.
    config_file: String,
    pub(super) errors: Vec<ConfigError>,
    pub(super) notices: Vec<String>,
}

impl Sources {
    /// Reads `config.properties` and its overrides: first `node.properties`, then `-D`.
    ///
    /// # Errors
    /// Fails only when `config.properties` cannot be read at all. Other errors are collected.
    pub(super) fn collect(
        options: &CommandLine,
        paths: &Paths,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigErrors> {
        let mut sources = Self {
            config_file: paths.config.display().to_string(),
            ..Self::default()
        };
        sources.add_config(paths)?;
        let node_file = paths.node_config.display().to_string();
        for Property { key, value, line } in paths.node_properties.clone() {
            sources.add_optional(key, value, SourceLocation::new(&node_file, line));
        }
        for (key, value) in options.properties.clone() {
            sources.add_optional(key, value, SourceLocation::new(OPTION, 0));
        }
        sources.expand(environment);
        sources.rename();
        sources.check_ignored();
        Ok(sources)
    }

    /// Adds the properties of `config.properties`, in which an unknown key is an error.
    fn add_config(&mut self, paths: &Paths) -> Result<(), ConfigErrors> {
        let text = file::read_text(&paths.config, true)?.unwrap_or_default();
        let (properties, bad) = parse_java(&text);
        self.errors.extend(file::bad_lines(&paths.config, &bad).0);
        for Property { key, value, line } in properties {
            let location = SourceLocation::new(&self.config_file, line);
            if keys::effect(&key).is_none() {
                self.error(location, unknown(&key));
                continue;
            }
            if let Some(earlier) = self.properties.get(&key) {
                self.notices.push(format!(
                    "{location}: '{key}' is set again (first at {}); this value is used",
                    earlier.location
                ));
            }
            self.properties.insert(key, Sourced { value, location });
        }
        Ok(())
    }

    /// Adds a property of `node.properties` or `-D`. An unknown key is ignored with a notice,
    /// because airlift passes these properties to Java as system properties.
    fn add_optional(&mut self, key: String, value: String, location: SourceLocation) {
        if keys::effect(&key).is_some() {
            self.properties.insert(key, Sourced { value, location });
        } else if key != "node.data-dir" {
            let key = values::shown(&key);
            self.notices.push(format!(
                "{location}: '{key}' is not known and is ignored{}",
                did_you_mean(&key)
            ));
        }
    }

    /// Replaces each `${ENV:X}`.
    fn expand(&mut self, environment: Environment<'_>) {
        let mut errors = Vec::new();
        for (key, sourced) in &mut self.properties {
            match expand(&sourced.value, environment) {
                Ok(value) => sourced.value = value,
                Err(variable) => {
                    let message = format!(
                        "Configuration property '{key}' references unset environment variable \
                         '{variable}'"
                    );
                    errors.push(ConfigError {
                        location: sourced.location.clone(),
                        message,
                    });
                    self.unusable.insert(key.clone());
                }
            }
        }
        self.errors.extend(errors);
        self.properties
            .retain(|key, _| !self.unusable.contains(key));
    }

    /// Replaces old names of keys with the new ones.
    fn rename(&mut self) {
        let old_keys: Vec<(String, &'static str)> = self
            .properties
            .keys()
            .filter_map(|key| match keys::effect(key) {
                Some(KeyEffect::Renamed(new)) => Some((key.clone(), new)),
                _ => None,
            })
            .collect();
        for (old, new) in old_keys {
            let Some(sourced) = self.properties.remove(&old) else {
                continue;
            };
            self.notices.push(format!(
                "{}: Configuration property '{old}' has been replaced. Use '{new}' instead.",
                sourced.location
            ));
            match self.properties.get(new) {
                None => drop(self.properties.insert(new.to_owned(), sourced)),
                Some(other) => {
                    let message = format!(
                        "Configuration property '{old}' (={}) \
                         conflicts with property '{new}' (={})",
                        values::shown(&sourced.value),
                        values::shown(&other.value)
                    );
                    self.error(sourced.location, message);
                }
            }
        }
    }

    /// Checks the keys that no part of the server reads. Adds one notice that lists the keys
    /// without effect.
    fn check_ignored(&mut self) {
        let mut idle = Vec::new();
        let mut wrong = Vec::new();
        for (key, Sourced { value, location }) in &self.properties {
            let message = match keys::effect(key) {
                Some(KeyEffect::None(kind)) => {
                    idle.push(key.as_str());
                    kind.check(value).err().map(|what| invalid(key, &what))
                }
                Some(KeyEffect::Refused(kind, why)) => match kind.check(value) {
                    Err(what) => Some(invalid(key, &what)),
                    Ok(()) if value.is_empty() || value.eq_ignore_ascii_case("false") => None,
                    Ok(()) if keys::is_secret(key) => Some(format!("{key}: {why}")),
                    Ok(()) => Some(format!("{key}={}: {why}", values::shown(value))),
                },
                Some(KeyEffect::Defunct) => {
                    Some(format!("Defunct property '{key}' cannot be configured."))
                }
                Some(KeyEffect::Acts | KeyEffect::Renamed(_)) | None => None,
            };
            wrong.extend(message.map(|message| ConfigError {
                location: location.clone(),
                message,
            }));
        }
        if !idle.is_empty() {
            self.notices.push(format!(
                "these configuration properties are accepted but have no effect: {}",
                idle.join(", ")
            ));
        }
        self.errors.extend(wrong);
    }

    /// Returns the value of a key that may be absent.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        debug_assert_eq!(keys::effect(key), Some(KeyEffect::Acts), "{key}");
        self.properties
            .get(key)
            .map(|sourced| sourced.value.as_str())
    }

    /// Returns the file that sets a key. Returns `None` if the key is absent, or if an option sets
    /// it.
    pub(super) fn file_of(&self, key: &str) -> Option<&str> {
        let source = self.properties.get(key)?.location.source.as_str();
        (source != OPTION).then_some(source)
    }

    /// Parses the value of a key with `read`, or returns `default` if the key is absent. An invalid
    /// value is recorded as an error.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        default: T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let Some(value) = self.text(key) else {
            return default;
        };
        let value = match value {
            "" => Err("is empty".to_owned()),
            value => read(value),
        };
        match value {
            Ok(value) => value,
            Err(what) => {
                self.invalid(key, &what);
                default
            }
        }
    }

    /// Returns the value of a required key.
    pub(super) fn required(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<String, String>,
    ) -> String {
        if self.text(key).is_none() && !self.unusable.contains(key) {
            self.invalid(key, "is missing");
        }
        self.read(key, String::new(), read)
    }

    /// Records that a key's value is invalid.
    pub(super) fn invalid(&mut self, key: &str, what: &str) {
        let location = self
            .properties
            .get(key)
            .map(|sourced| sourced.location.clone());
        self.error(
            location.unwrap_or_else(|| SourceLocation::new(&self.config_file, 0)),
            invalid(key, what),
        );
    }

    /// Records an error at a location.
    pub(super) fn error(&mut self, location: SourceLocation, message: String) {
        self.errors.push(ConfigError { location, message });
    }

    /// Sets a property that comes from outside the files, such as from an option.
    pub(super) fn set(&mut self, key: &str, value: String, location: SourceLocation) {
        self.properties
            .insert(key.to_owned(), Sourced { value, location });
    }
}

fn invalid(key: &str, what: &str) -> String {
    format!("Invalid configuration property {key}: {what}")
}

fn unknown(key: &str) -> String {
    let key = values::shown(key);
    let hint = match key.as_str() {
        "node.data-dir" => ". It is read from node.properties and --data-dir".to_owned(),
        _ => did_you_mean(&key),
    };
    format!("Configuration property '{key}' was not used{hint}")
}

fn did_you_mean(key: &str) -> String {
    let similar = keys::similar(key);
    match similar.split_last() {
        None => String::new(),
        Some((only, [])) => format!(". Did you mean to use '{only}'?"),
        Some((last, others)) => format!(
            ". Did you mean to use '{}' or '{last}'?",
            others.join("', '")
        ),
    }
}
