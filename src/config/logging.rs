//! The settings of the logs: `log.*` with the levels file, `http-server.log.*` and `audit.log.*`.

use super::error::{ConfigErrors, SourceLocation};
use super::file;
use super::paths::{CommandLine, Paths};
use super::properties::parse_java;
use super::sources::Sources;
use super::values;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text, for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A level of the levels file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// No events.
    Off,
    /// Events that a person must look into.
    Error,
    /// Events that a person should look into.
    Warn,
    /// Changes of state.
    Info,
    /// Details for debugging.
    Debug,
    /// All events.
    Trace,
}

/// `log.*`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSettings {
    /// The levels by logger name, from the levels file. A name is that of an airlift logger, of one
    /// of our modules or of a library.
    pub levels: BTreeMap<String, LogLevel>,
    /// `log.path`: the log file; `None`: only the console.
    pub path: Option<PathBuf>,
    /// `log.format`
    pub format: LogFormat,
    /// `log.enable-console`
    pub console: bool,
    /// `log.console-format`
    pub console_format: LogFormat,
    /// `log.max-size`: a file of this size is rotated.
    pub max_size_bytes: u64,
    /// `log.max-total-size`: rotated files beyond this total size are removed, the oldest first.
    pub max_total_size_bytes: u64,
    /// `log.compression=GZIP`: whether rotated files are compressed.
    pub compress: bool,
}

/// The settings of a log that is rotated by day and by size: `http-server.log.*`, `audit.log.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingLogSettings {
    /// `enabled`
    pub enabled: bool,
    /// `path`, absolute.
    pub path: PathBuf,
    /// `max-size`: a file of this size is rotated, as is a file of the previous day.
    pub max_size_bytes: u64,
    /// `max-history`: number of days for which rotated files are kept. The total size of the
    /// rotated files is limited to this number times `max_size_bytes`.
    pub max_history_days: u64,
    /// `compression.enabled`: whether rotated files are compressed.
    pub compress: bool,
}

/// Minimum size of a log file. A smaller one would be rotated every few lines.
const LOG_FILE_BYTES_MIN: u64 = 1 << 10;

const FORMATS: &[(&str, LogFormat)] = &[("TEXT", LogFormat::Text), ("JSON", LogFormat::Json)];

const LEVELS: &[(&str, LogLevel)] = &[
    ("OFF", LogLevel::Off),
    ("ERROR", LogLevel::Error),
    ("WARN", LogLevel::Warn),
    ("INFO", LogLevel::Info),
    ("DEBUG", LogLevel::Debug),
    ("TRACE", LogLevel::Trace),
];

/// Reads the settings of the server's own log, and its levels file.
pub(super) fn read(sources: &mut Sources, options: &CommandLine, paths: &Paths) -> LogSettings {
    // A levels file in the default place takes precedence over `log.levels-file`, as in airlift's
    // launcher.
    if options.log_levels_file.is_some() || paths.log_levels.exists() {
        let path = paths.log_levels.display().to_string();
        if sources
            .text("log.levels-file")
            .is_some_and(|text| paths.in_data_dir(text) != paths.log_levels)
        {
            sources
                .notices
                .push(format!("log.levels-file is ignored: {path} exists"));
        }
        sources.set(
            "log.levels-file",
            path,
            SourceLocation::new("--log-levels-file", 0),
        );
    }
    if options.detached {
        // `--server-log-file` takes precedence over `log.path`. The default file is used if neither
        // is given.
        if options.server_log_file.is_some() || sources.text("log.path").is_none() {
            sources.set(
                "log.path",
                paths.server_log.display().to_string(),
                SourceLocation::new("--server-log-file", 0),
            );
        }
        sources.set(
            "log.enable-console",
            "false".to_owned(),
            SourceLocation::new("start", 0),
        );
    }
    let format = |text: &str| values::one_of(text, FORMATS);
    let size = |text: &str| at_least(values::data_size_bytes(text)?);
    LogSettings {
        levels: levels(sources, paths),
        path: sources.read("log.path", None, |text| match text.starts_with("tcp://") {
            true => Err("logging to a socket is not supported".to_owned()),
            false => Ok(Some(paths.in_data_dir(text))),
        }),
        format: sources.read("log.format", LogFormat::Text, format),
        console: sources.read("log.enable-console", true, values::boolean),
        console_format: sources.read("log.console-format", LogFormat::Text, format),
        max_size_bytes: sources.read("log.max-size", 100 << 20, size),
        max_total_size_bytes: sources.read("log.max-total-size", 1 << 30, size),
        compress: sources.read("log.compression", true, |text| {
            values::one_of(text, &[("GZIP", true), ("NONE", false)])
        }),
    }
}

/// Reads the settings of the access log.
pub(super) fn read_access_log(sources: &mut Sources, paths: &Paths) -> RollingLogSettings {
    let defaults = RollingLogSettings {
        enabled: true,
        path: paths.data_dir.join("var/log/http-request.log"),
        max_size_bytes: 100 << 20,
        max_history_days: 15,
        compress: true,
    };
    RollingLogSettings {
        compress: sources.read("http-server.log.compression.enabled", true, values::boolean),
        ..read_rolling_log(sources, paths, "http-server.log", defaults)
    }
}

/// Reads the settings of the audit log.
pub(super) fn read_audit_log(sources: &mut Sources, paths: &Paths) -> RollingLogSettings {
    let defaults = RollingLogSettings {
        enabled: true,
        path: paths.data_dir.join("var/log/audit.log"),
        max_size_bytes: 10 << 20,
        max_history_days: 90,
        compress: true,
    };
    read_rolling_log(sources, paths, "audit.log", defaults)
}

/// Reads the settings of a log whose keys begin with `prefix`.
fn read_rolling_log(
    sources: &mut Sources,
    paths: &Paths,
    prefix: &str,
    defaults: RollingLogSettings,
) -> RollingLogSettings {
    let key = |name: &str| format!("{prefix}.{name}");
    RollingLogSettings {
        enabled: sources.read(&key("enabled"), defaults.enabled, values::boolean),
        path: sources.read(&key("path"), defaults.path, |text| {
            Ok(paths.in_data_dir(text))
        }),
        max_size_bytes: sources.read(&key("max-size"), defaults.max_size_bytes, |text| {
            at_least(values::data_size_bytes(text)?)
        }),
        max_history_days: sources.read(&key("max-history"), defaults.max_history_days, |text| {
            values::integer(text, 1, 3_650)
        }),
        compress: defaults.compress,
    }
}

fn at_least(bytes: u64) -> Result<u64, String> {
    if bytes >= LOG_FILE_BYTES_MIN {
        Ok(bytes)
    } else {
        Err(format!(
            "{bytes}B is less than the minimum of {LOG_FILE_BYTES_MIN}B"
        ))
    }
}

/// Reads the configured levels file, if there is one.
fn levels(sources: &mut Sources, paths: &Paths) -> BTreeMap<String, LogLevel> {
    let Some(file) = sources
        .text("log.levels-file")
        .map(|text| paths.in_data_dir(text))
    else {
        return BTreeMap::new();
    };
    match read_levels(&file) {
        Ok(levels) => levels,
        Err(ConfigErrors(errors)) => {
            sources.errors.extend(errors);
            BTreeMap::new()
        }
    }
}

/// Reads a levels file in Java's format: one `logger=LEVEL` per line.
fn read_levels(path: &Path) -> Result<BTreeMap<String, LogLevel>, ConfigErrors> {
    let text = file::read_text(path, true)?.unwrap_or_default();
    let (properties, bad) = parse_java(&text);
    let mut errors = file::bad_lines(path, &bad);
    let mut levels = BTreeMap::new();
    for property in properties {
        match values::one_of(&property.value, LEVELS) {
            Ok(level) => drop(levels.insert(property.key, level)),
            Err(what) => {
                let location = SourceLocation::new(path.display().to_string(), property.line);
                let message = format!("level of '{}': {what}", values::shown(&property.key));
                errors.0.extend(ConfigErrors::one(location, message).0);
            }
        }
    }
    if errors.0.is_empty() {
        Ok(levels)
    } else {
        Err(errors)
    }
}
