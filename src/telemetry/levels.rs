//! The log levels: airlift's logger names, mapped to our modules.

use crate::audit::AUDIT_TARGET;
use crate::config::LogLevel;
use std::collections::BTreeMap;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// Our modules, with the loggers of airlift's server that log the same events, so that a levels
/// file written for airlift sets our levels.
const MODULES: &[(&str, &str)] = &[
    ("quorate", "io.airlift.discovery.server.DiscoveryServer"),
    ("quorate::http", "io.airlift.http.server.HttpServer"),
    (
        "quorate::raft",
        "io.airlift.discovery.store.DistributedStore",
    ),
    ("quorate::config", "io.airlift.bootstrap.Bootstrap"),
];

/// The target of the report that an operator requests by SIGQUIT. The level of this target is INFO,
/// whatever the levels file sets for other names, so that the report appears.
pub const STATE_TARGET: &str = "quorate::state";

/// Returns the filter for a levels file. Lines that the file does not configure are filtered as
/// follows:
///
/// - quorate's own lines are shown from INFO up, and lines of libraries from WARN up.
/// - openraft's lines are shown from ERROR up, because openraft warns of each packet that a stopped
///   peer does not answer. `quorate::raft` reports such a peer once.
/// - `openraft::raft` is off, because it logs an error for each message that openraft's handle
///   cannot deliver. The caller of the handle gets that error too. In a process that is stopping,
///   an undelivered message is no error.
pub fn targets(levels: &BTreeMap<String, LogLevel>) -> Targets {
    let mut targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("openraft", LevelFilter::ERROR)
        .with_target("openraft::raft", LevelFilter::OFF);
    for (module, logger) in MODULES {
        let level = inherited(levels, logger).map_or(LevelFilter::INFO, filter);
        targets = targets.with_target(*module, level);
    }
    targets = targets.with_target(STATE_TARGET, LevelFilter::INFO);
    // These events have a log of their own.
    targets = targets.with_target(AUDIT_TARGET, LevelFilter::OFF);
    // A name in the levels file may be one of our modules or a library, where `quorate.raft` means
    // `quorate::raft`. airlift's names match no target here.
    levels
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .fold(targets, |targets, (name, level)| {
            targets.with_target(name.replace('.', "::"), filter(*level))
        })
}

/// Returns the level of a logger or of its nearest ancestor, as Java's loggers inherit it. The
/// root's name is empty.
fn inherited(levels: &BTreeMap<String, LogLevel>, logger: &str) -> Option<LogLevel> {
    let mut name = logger;
    loop {
        if let Some(level) = levels.get(name) {
            return Some(*level);
        }
        if name.is_empty() {
            return None;
        }
        name = name.rsplit_once('.').map_or("", |(parent, _)| parent);
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn levels(lines: &[(&str, LogLevel)]) -> Targets {
        targets(
            &lines
                .iter()
                .map(|(name, level)| ((*name).to_owned(), *level))
                .collect(),
        )
    }

    /// The level of an airlift logger, or of its nearest ancestor, applies to our module. A level
    /// for the name of our module takes precedence.
    #[test]
    fn names_are_mapped() {
        let targets = levels(&[
            ("io.airlift", LogLevel::Warn),
            ("io.airlift.discovery.store", LogLevel::Debug),
            ("com.example", LogLevel::Off),
        ]);
        assert!(!targets.would_enable("quorate::server", &Level::INFO));
        assert!(targets.would_enable("quorate::server", &Level::WARN));
        assert!(targets.would_enable("quorate::raft::disk", &Level::DEBUG));
        assert!(!targets.would_enable("quorate::http", &Level::INFO));
        assert!(targets.would_enable(STATE_TARGET, &Level::INFO));

        let targets = levels(&[
            ("", LogLevel::Error),
            ("quorate.http", LogLevel::Trace),
            ("openraft", LogLevel::Info),
        ]);
        assert!(!targets.would_enable("quorate::raft", &Level::WARN));
        assert!(targets.would_enable("quorate::http", &Level::TRACE));
        assert!(targets.would_enable("openraft::core", &Level::INFO));
    }

    /// Without a levels file our own lines show from INFO up, and the libraries are quiet.
    #[test]
    fn defaults() {
        let targets = levels(&[]);
        assert!(targets.would_enable("quorate::raft", &Level::INFO));
        assert!(!targets.would_enable("quorate::raft", &Level::DEBUG));
        assert!(targets.would_enable("hyper", &Level::WARN));
        assert!(!targets.would_enable("openraft", &Level::WARN));
        assert!(targets.would_enable("openraft::core", &Level::ERROR));
        assert!(!targets.would_enable("openraft::raft", &Level::ERROR));
    }
}
